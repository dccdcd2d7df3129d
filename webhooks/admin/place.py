"""Where endpoints belong, and what a person may do with them there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from django.http import Http404, HttpRequest
from django.urls import reverse

from messaging.admin.rights import find_organization
from organizations.access import Caller, Permission
from organizations.admin.base import caller_of
from organizations.models import Organization
from webhooks.models import Endpoint
from webhooks.rights import PERMISSIONS, Right, require


@dataclass(frozen=True)
class Place:
    """An organization, or the installation (None), as one person sees it."""

    organization: Organization | None
    caller: Caller

    def url(self, name: str, *ids: str) -> str:
        """Return the address of a page here. Each page exists in both kinds of places."""
        before = [] if self.organization is None else [self.organization.pk]
        return reverse(name, args=[*before, *ids])

    @cached_property
    def _held(self) -> frozenset[Permission]:
        if self.organization is None:
            return frozenset(Permission) if self.caller.is_superuser else frozenset()
        return self.caller.permissions(self.organization)

    def _may(self, right: Right) -> bool:
        return self._held.issuperset(PERMISSIONS[right])

    @property
    def repeat(self) -> bool:
        """Whether the person may send tests and what was sent before."""
        return self._may(Right.REPEAT)

    @property
    def manage(self) -> bool:
        """Whether the person may pause and delete."""
        return self._may(Right.MANAGE)

    @property
    def edit(self) -> bool:
        """Whether the person may add endpoints, and sees whole addresses and new secrets."""
        return self._may(Right.EDIT)


def find_place(request: HttpRequest, organization_id: int | None, right: Right) -> Place:
    """Return a place where the person has this right.

    Raises Http404 for outsiders of an organization, and PermissionDenied.
    """
    found = None if organization_id is None else find_organization(request, organization_id)
    caller = caller_of(request)
    require(caller, found, right)
    return Place(found, caller)


def find_endpoint(
    request: HttpRequest, organization_id: int | None, webhook_id: str, right: Right
) -> tuple[Place, Endpoint]:
    """Return an endpoint, and its place, on which the person has this right.

    Raises Http404 and PermissionDenied.
    """
    place = find_place(request, organization_id, right)
    rows = Endpoint.objects.present().select_related("organization")
    endpoint = rows.filter(organization=place.organization, public_id=webhook_id).first()
    if endpoint is None:
        raise Http404
    return place, endpoint
