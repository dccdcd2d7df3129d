"""What a person may see and do on the pages about an organization's messages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.http import Http404, HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from organizations.access import Permission
from organizations.admin.base import caller_of
from organizations.models import Organization

SESSION_KEY = "opened_messages"
OPENED_FOR = timedelta(minutes=30)


@dataclass(frozen=True)
class Rights:
    """`numbers`: whole numbers of other people, else their last digits. `texts`: what they say.

    `may_open`: an administrator who reads nothing may do so for a reason. `opened_until`: when
    that ends.
    """

    numbers: bool
    texts: bool
    send: bool
    operate: bool
    manage: bool
    may_open: bool = False
    opened_until: datetime | None = None

    @property
    def erase(self) -> bool:
        """Whether the person exports and erases what is stored; who has opened it does not."""
        return self.manage and self.texts and self.opened_until is None


def find_organization(
    request: HttpRequest, organization_id: int, permission: Permission = Permission.SEE
) -> Organization:
    """Return the organization. Raises Http404 for outsiders, PermissionDenied without the right."""
    try:
        return caller_of(request).organization(organization_id, permission)
    except Organization.DoesNotExist as error:
        raise Http404 from error


def rights_of(request: HttpRequest, organization: Organization) -> Rights:
    """Return the rights of the person who asks, in this organization."""
    caller = caller_of(request)
    held = caller.permissions(organization)
    reads = Permission.READ_MESSAGES in held
    outside = caller.is_superuser and not reads
    opened_until = _opened_until(request, organization) if outside else None
    return Rights(
        numbers=opened_until is not None or (Permission.OPERATE in held and not outside),
        texts=opened_until is not None or reads,
        send=Permission.SEND_MESSAGES in held,
        operate=Permission.OPERATE in held,
        manage=Permission.MANAGE in held,
        may_open=outside and opened_until is None,
        opened_until=opened_until,
    )


def open_texts(request: HttpRequest, organization: Organization) -> None:
    """Let this session read the organization's messages for a while. The caller audits it."""
    until = timezone.now() + OPENED_FOR
    opened = dict(request.session.get(SESSION_KEY, {}))
    opened[str(organization.pk)] = until.isoformat()
    request.session[SESSION_KEY] = opened


def _opened_until(request: HttpRequest, organization: Organization) -> datetime | None:
    """Return when the time ends for which an administrator has opened the messages."""
    stored = request.session.get(SESSION_KEY, {}).get(str(organization.pk), "")
    until = parse_datetime(stored) if stored else None
    return until if until is not None and until > timezone.now() else None
