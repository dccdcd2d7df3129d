"""The Messages tab: the log of an organization's messages, and a form to send one."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    JsonResponse,
)
from django.shortcuts import redirect
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import gettext_noop, pgettext_lazy
from django.views.decorators.cache import never_cache

from messaging.actions import decisions, media, outgoing
from messaging.actions.contacts import Address
from messaging.actions.outgoing import NewMessage
from messaging.admin.attachments import TOO_LARGE, Attachment, max_megabytes
from messaging.admin.forms import OpenForm, WriteForm, new_key
from messaging.admin.overview import overview_of
from messaging.admin.page import render_tab, wants_json
from messaging.admin.rights import find_organization, open_texts, rights_of
from messaging.admin.rows import row_of, visible_messages
from messaging.models import FAILED_STATES, IN_QUEUE_STATES, Message
from messaging.queue_reasons import WaitingReasons
from messaging.refusals import KeyReused, MessageRefused, StorageFull, StorageUnavailable
from organizations.access import Permission
from organizations.admin.base import caller_of
from organizations.models import Organization

State, Direction = Message.State, Message.Direction

PAGE = 50
MAX_ID_DIGITS = 18

FILTERS: dict[str, tuple[Promise, Q]] = {
    "": (lazy("All"), Q()),
    "in": (lazy("In"), Q(direction=Direction.IN)),
    "out": (lazy("Out"), Q(direction=Direction.OUT)),
    "waiting": (pgettext_lazy("messages", "Waiting"), Q(state__in=IN_QUEUE_STATES)),
    "held": (pgettext_lazy("messages", "Held"), Q(state=State.HELD)),
    "failed": (pgettext_lazy("messages", "Failed"), Q(state__in=FAILED_STATES)),
    "unknown": (pgettext_lazy("messages", "Unknown"), Q(state=State.UNKNOWN)),
    "lost": (pgettext_lazy("messages", "Lost"), Q(state=State.LOST)),
}

QUEUED = gettext_noop("The message is in the queue.")
ALREADY_SENT = gettext_noop("Your earlier message was sent. Press Send to send this one, too.")


@never_cache
def messages_view(request: HttpRequest, organization_id: int) -> HttpResponse:
    """GET: what waits, failed or was lost, and the newest messages."""
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    return messages_page(request, find_organization(request, organization_id))


def messages_page(
    request: HttpRequest,
    organization: Organization,
    write: WriteForm | None = None,
    opening: OpenForm | None = None,
    status: int = 200,
) -> HttpResponse:
    """Return the page, with a form that had a problem."""
    rights = rights_of(request, organization)
    show = request.GET.get("show", "")
    show = show if show in FILTERS else ""
    before = _parse_id(request.GET.get("before", ""))
    found = visible_messages(organization.pk, rights).filter(FILTERS[show][1])
    if before:
        found = found.filter(pk__lt=before)
    rows = list(found[: PAGE + 1])
    older = rows[PAGE - 1].pk if len(rows) > PAGE else None
    waiting = WaitingReasons(organization.pk)
    context = {
        "tab": "messages",
        "overview": overview_of(organization.pk, rights),
        "limits": waiting.limits() if rights.send else None,
        "filters": [(value, name) for value, (name, _condition) in FILTERS.items()],
        "show": show,
        "rows": [row_of(message, rights, waiting) for message in rows[:PAGE]],
        "before": before,
        "older": urlencode({"show": show, "before": older}) if older else "",
        "write": write,
        "key": new_key(),
        "max_megabytes": max_megabytes(),
        "too_large": _(TOO_LARGE).format(size=max_megabytes()),
        "opening": opening,
    }
    template = "messaging/messages/page.html"
    return render_tab(request, organization, rights, template, context, status)


def send_view(request: HttpRequest, organization_id: int) -> HttpResponse:
    """POST: queue one text or file."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    organization = find_organization(request, organization_id, Permission.SEND_MESSAGES)
    form = WriteForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            _enqueue(request, organization, form.cleaned_data)
        except KeyReused:
            # Its answer was lost; what is written by now is another message.
            form.add_error(None, _(ALREADY_SENT))
            form.renew_key()
        except (StorageFull, StorageUnavailable) as refused:
            form.add_error("attachment", refused.sentence)
        except MessageRefused as refused:
            form.add_error(None, refused.sentence)
    if wants_json(request):
        return _as_json(form)
    if not form.is_valid():
        return messages_page(request, organization, write=form, status=400)
    messages.success(request, _(QUEUED))
    return redirect("messages", organization.pk)


def _enqueue(request: HttpRequest, organization: Organization, data: dict[str, Any]) -> None:
    actor = caller_of(request).actor
    attachment: Attachment | None = data["attachment"]
    file = attachment.upload(organization.pk, actor) if attachment else None
    text = {"body": data["text"], **({"preview_url": True} if data["preview"] else {})}
    new = NewMessage(
        to=Address(number=data["number"]),
        type=attachment.kind if attachment else "text",
        body=attachment.body(data["text"]) if attachment else text,
        media=file.public_id if file else "",
        key=f"page:{data['key']}" if data["key"] else "",
    )
    try:
        outgoing.enqueue(organization.pk, new, actor)
    except BaseException:
        if file:
            media.delete(organization.pk, file.public_id)
        raise


def _as_json(form: WriteForm) -> JsonResponse:
    problems = {field: " ".join(map(str, found)) for field, found in form.errors.items()}
    if problems:
        key = form["key"].value() or ""
        return JsonResponse({"success": False, "problems": problems, "key": key}, status=400)
    return JsonResponse({"success": True, "message": _(QUEUED), "key": new_key()})


def open_view(request: HttpRequest, organization_id: int) -> HttpResponse:
    """POST: let an administrator read the messages for a while, for a reason that is audited."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    organization = find_organization(request, organization_id)
    if not caller_of(request).is_superuser:
        raise PermissionDenied
    form = OpenForm(request.POST)
    if not form.is_valid():
        return messages_page(request, organization, opening=form, status=400)
    reason = form.cleaned_data["reason"]
    decisions.record_opening(organization, reason, caller_of(request).actor)
    open_texts(request, organization)
    return redirect("messages", organization.pk)


def _parse_id(text: str) -> int:
    """Return a positive id, 0 for anything else."""
    digits = text.isascii() and text.isdigit() and len(text) <= MAX_ID_DIGITS
    return int(text) if digits else 0
