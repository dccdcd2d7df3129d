"""What was sent, and what could not be and why: for administrators."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from notices.actions import sending
from notices.admin.page import render
from notices.failures import Failure
from notices.links import is_configured
from notices.models import Address, Notice, Trouble
from notices.names import clean
from notices.texts import text_of
from organizations.admin.base import caller_of
from organizations.admin.pages import READ, page_view
from organizations.models import Organization

State = Notice.State

ON_A_PAGE = 50
TONES = {
    State.WAITING: "busy",
    State.SENT: "good",
    State.FAILED: "bad",
    State.DROPPED: "off",
}


@dataclass(frozen=True)
class NoticeRow:
    """A notice with its texts."""

    notice: Notice
    subject: str

    @property
    def tone(self) -> str:
        if self.notice.state == State.WAITING and self.notice.tries:
            return "warn"
        return TONES[State(self.notice.state)]

    @property
    def why(self) -> str:
        """Why it was not sent, or the last try failed; "" if it is well."""
        if self.notice.state == State.DROPPED:
            return _("It was no longer true, or not wanted any more.")
        failure = self.notice.failure
        if not failure:
            return ""
        status = f" ({self.notice.status})" if self.notice.status else ""
        return f"{Failure(failure).label}{status}"


@page_view(*READ)
def sent_view(request: HttpRequest) -> HttpResponse:
    """GET: the notices to all people, the newest first. `state`: only those."""
    caller_of(request).require_superuser()
    state = request.GET.get("state", "")
    found = Notice.objects.order_by("-pk")
    if state in State.values:
        found = found.filter(state=state)
    counts = dict(Notice.objects.order_by().values_list("state").annotate(Count("pk")))
    page = Paginator(found, ON_A_PAGE).get_page(request.GET.get("page"))
    context: dict[str, Any] = {
        "title": _("Sent notices"),
        "page": page,
        "rows": rows_of(page.object_list),
        "state": state,
        "states": [(value, name, counts.get(value, 0)) for value, name in State.choices],
        "configured": is_configured(),
        "mails": bool(settings.EMAIL_URL),
        "addresses": Address.objects.on().count(),
    }
    return render(request, "notices/sent.html", context)


@page_view("POST")
def retry_view(request: HttpRequest, notice_id: int) -> HttpResponse:
    """POST: try a notice again that was given up."""
    caller_of(request).require_superuser()
    if not Notice.objects.filter(pk=notice_id).exists():
        raise Http404
    if sending.retry(notice_id):
        messages.success(request, _("It is tried again."))
    return redirect("notices")


def rows_of(
    notices: QuerySet[Notice] | Any, organization: Organization | None = None
) -> list[NoticeRow]:
    """Return notices with their texts. `organization`: none is named but this one."""
    found: Iterable[Notice] = notices.select_related("user", "address__user").prefetch_related(
        "tellings__trouble__organization", "recoveries__trouble__organization"
    )
    return [NoticeRow(notice, _subject(notice, organization)) for notice in found]


def _subject(notice: Notice, organization: Organization | None) -> str:
    tellings = notice.recoveries if notice.kind == Notice.Kind.RECOVERY else notice.tellings
    about = [
        telling.trouble
        for telling in tellings.all()
        if organization is None or telling.trouble.organization_id == organization.pk
    ]
    if notice.kind in (Notice.Kind.TEST, Notice.Kind.CONFIRM):
        return str(notice.get_kind_display())
    return _text(notice, about) if about else str(notice.get_kind_display())


def _text(notice: Notice, troubles: list[Trouble]) -> str:
    return text_of(notice, troubles, clean).subject
