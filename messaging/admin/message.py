"""The page of one message: the time of each step, its ids, and what can be done with it."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from messaging import signed_urls
from messaging.actions import outgoing, unsent
from messaging.admin.page import render_tab
from messaging.admin.rights import Rights, find_organization, rights_of
from messaging.admin.rows import row_of, text_of, visible_messages
from messaging.models import CANCELLABLE_STATES, Media, Message
from messaging.queue_reasons import WaitingReasons
from messaging.refusals import MessageRefused
from organizations.access import Permission
from organizations.admin.base import caller_of
from organizations.audit_labels import translate_actor


@never_cache
def message_view(request: HttpRequest, organization_id: int, message_id: str) -> HttpResponse:
    """GET: one message."""
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    organization = find_organization(request, organization_id)
    rights = rights_of(request, organization)
    message = _visible(organization.pk, message_id, rights)
    context = {
        "tab": "messages",
        "message": message,
        "row": row_of(message, rights, WaitingReasons(organization.pk)),
        "text": text_of(message) if rights.texts else "",
        "name": message.contact.name if rights.texts else "",
        "is_person": bool(message.contact.number or message.contact.lid) if rights.erase else False,
        "written_by": translate_actor(message.actor),
        "resent": message.resent.only("public_id", "state").first(),
        "may_repeat": rights.send and outgoing.resend_refusal(message) is None,
        "may_discard": rights.send and message.state in CANCELLABLE_STATES,
    }
    return render_tab(request, organization, rights, "messaging/message/page.html", context)


def again_view(request: HttpRequest, organization_id: int, message_id: str) -> HttpResponse:
    """POST: send a message that did not go out, or may not have, as a new one."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    organization = find_organization(request, organization_id, Permission.SEND_MESSAGES)
    message = _find(organization.pk, message_id)
    try:
        new = outgoing.resend(organization.pk, message.pk, caller_of(request).actor)
    except MessageRefused as refused:
        messages.error(request, refused.sentence)
        return redirect("message", organization.pk, message_id)
    messages.success(request, _("The message is in the queue once more."))
    return redirect("message", organization.pk, new.public_id)


def discard_view(request: HttpRequest, organization_id: int, message_id: str) -> HttpResponse:
    """POST: cancel a message that is queued or held."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    organization = find_organization(request, organization_id, Permission.SEND_MESSAGES)
    message = _find(organization.pk, message_id)
    try:
        unsent.cancel(organization.pk, message.pk)
    except MessageRefused as refused:
        messages.error(request, refused.sentence)
    else:
        messages.success(request, _("The message was discarded."))
    return redirect("message", organization.pk, message_id)


def file_view(request: HttpRequest, organization_id: int, message_id: str) -> HttpResponse:
    """GET: lead to the message's file, for those who read its text."""
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    organization = find_organization(request, organization_id)
    rights = rights_of(request, organization)
    if not rights.texts:
        raise PermissionDenied
    media = _visible(organization.pk, message_id, rights).media
    if media is None or media.state != Media.State.READY:
        raise Http404
    return redirect(signed_urls.path_of(media.public_id))


def _find(organization_id: int, message_id: str) -> Message:
    """Return the message without its content. Raises Http404."""
    found = Message.objects.filter(organization=organization_id, public_id=message_id)
    message = found.defer("content").first()
    if message is None:
        raise Http404
    return message


def _visible(organization_id: int, message_id: str, rights: Rights) -> Message:
    """Return the message as these rights show it. Raises Http404."""
    hidden = ["media__source"] if rights.texts else ["media__source", "media__filename"]
    found = visible_messages(organization_id, rights).select_related("media").defer(*hidden)
    message = found.filter(public_id=message_id).first()
    if message is None:
        raise Http404
    return message
