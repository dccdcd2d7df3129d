"""The tab Notices of an organization: who is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from messaging.admin.page import render_tab
from messaging.admin.rights import find_organization, rights_of
from notices.actions import addresses
from notices.admin.mine import own_preferences, person
from notices.admin.sent import NoticeRow, rows_of
from notices.links import is_configured
from notices.models import Address, Notice
from notices.recipients import is_subscribed, preferences_of
from organizations.access import Permission, for_user
from organizations.admin.base import caller_of
from organizations.admin.pages import READ, page_view
from organizations.models import Organization

SHOWN = 10


@dataclass(frozen=True)
class AddressRow:
    """An address on the tab. `quiet`: its person's quiet hours are now."""

    address: Address
    own: bool
    told: bool
    quiet: bool


@page_view(*READ)
def tab_view(request: HttpRequest, organization_id: int) -> HttpResponse:
    """GET: who is told of an organization, when, and what was sent last."""
    organization = find_organization(request, organization_id)
    rights = rights_of(request, organization)
    rows = _rows(request, organization)
    own = [row for row in rows if row.own]
    others = [row for row in rows if not row.own]
    last = _last(organization)
    administrators_told = _administrators_told(request, organization)
    context: dict[str, Any] = {
        "tab": "notices",
        "own": own,
        "others": others if rights.manage else [],
        "others_told": sum(row.told and row.address.is_on for row in others) + administrators_told,
        "administrators_told": administrators_told,
        "preferences": own_preferences(request),
        "configured": is_configured(),
        "last": last,
        "named": _named(request, organization, last, manage=rights.manage),
    }
    return render_tab(request, organization, rights, "notices/tab.html", context)


@page_view("POST")
def choose_view(request: HttpRequest, organization_id: int, address_id: int) -> HttpResponse:
    """POST `told`: whether an address is told of an organization.

    People choose for themselves; who manages the organization, for its members too. Only
    administrators of the service choose for each other.
    """
    organization = find_organization(request, organization_id)
    address = Address.objects.filter(pk=address_id).select_related("user").first()
    if address is None or not for_user(address.user).may(Permission.SEE, organization):
        raise Http404
    caller = caller_of(request)
    if address.user != person(request):
        member = organization.memberships.filter(user=address.user).exists()
        shown = member or caller.is_superuser
        if not shown or not caller.may(Permission.MANAGE, organization):
            raise Http404
    told = request.POST.get("told") == "yes"
    addresses.choose(address, organization, told, caller.actor)
    return redirect("organization_notices", organization_id=organization_id)


def _rows(request: HttpRequest, organization: Organization) -> list[AddressRow]:
    """Return the addresses of an organization's members, the reader's own first.

    Administrators of the service see every organization; only they are shown each other's.
    """
    now, user = timezone.now(), person(request)
    found = Address.objects.filter(user__in=organization.memberships.values("user"))
    if caller_of(request).is_superuser:
        found |= Address.objects.filter(user__is_superuser=True)
    return sorted(
        (
            AddressRow(
                address,
                address.user_id == user.pk,
                is_subscribed(address, organization),
                preferences_of(address.user).quiet_end(now) is not None,
            )
            for address in found.filter(user__is_active=True).select_related(
                "user__notice_preferences"
            )
        ),
        key=lambda row: (not row.own, row.address.user.get_username(), row.address.pk),
    )


def _administrators_told(request: HttpRequest, organization: Organization) -> int:
    """Return how many addresses are told that `_rows` does not show: those of administrators."""
    if caller_of(request).is_superuser:
        return 0
    members = organization.memberships.values("user")
    found = Address.objects.on().filter(user__is_superuser=True).exclude(user__in=members)
    return sum(is_subscribed(address, organization) for address in found)


def _last(organization: Organization) -> list[NoticeRow]:
    """Return the last notices about an organization; each stands for all who got it."""
    about = Notice.objects.filter(tellings__trouble__organization=organization)
    over = Notice.objects.filter(recoveries__trouble__organization=organization)
    found = (about | over).distinct().order_by("-pk")
    return rows_of(found[:SHOWN], organization)


def _named(
    request: HttpRequest, organization: Organization, last: list[NoticeRow], *, manage: bool
) -> set[int]:
    """Return the people whose notices are shown with their address. See `_rows`."""
    if caller_of(request).is_superuser:
        return {row.notice.user_id for row in last}
    members = organization.memberships.values_list("user_id", flat=True)
    return {*(members if manage else ()), person(request).pk}
