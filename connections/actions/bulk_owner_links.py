"""Links for the owners of many phones, each made with the rights of whoever asked."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.exceptions import PermissionDenied

from connections.actions.owner_links import make_owner_link
from connections.models import Connection, OwnerLink
from connections.refusals import RequestRefused
from organizations.access import Caller, Permission
from organizations.models import Organization


@dataclass(frozen=True)
class LinkResult:
    """What came of the request for one organization: a link with its secret, or a refusal."""

    organization: Organization
    link: OwnerLink | None = None
    secret: str = ""
    refusal: RequestRefused | PermissionDenied | None = None

    @property
    def number(self) -> str:
        """The digits of the phone that is expected, or that was linked last; "" if unknown."""
        expected = self.organization.expected_number
        return expected or Connection.objects.of(self.organization).last_number


def make_owner_links(
    caller: Caller,
    ids: Collection[int],
    lifetime: timedelta | None = None,
    seen: datetime | None = None,
) -> list[LinkResult]:
    """Create a link for each of these organizations that the caller sees, in the order of names.

    `seen`: see `make_owner_link`. Each is a transaction of its own: a refusal of one leaves the
    others alone.
    """
    chosen = set(ids)
    organizations = caller.organizations.select_related("connection")
    # Filtered here and not by pk__in: a database limits the number of parameters.
    return [_make(caller, row, lifetime, seen) for row in organizations if row.pk in chosen]


def _make(
    caller: Caller, organization: Organization, lifetime: timedelta | None, seen: datetime | None
) -> LinkResult:
    try:
        caller.require(Permission.OPERATE, organization)
        pk = Connection.objects.of(organization).pk
        link, secret = make_owner_link(pk, caller.actor, lifetime, seen)
    except (RequestRefused, PermissionDenied) as refusal:
        return LinkResult(organization, refusal=refusal)
    return LinkResult(organization, link, secret)
