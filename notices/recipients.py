"""The recipients of notices: addresses, and the organizations that they are subscribed to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User

from notices.models import Address, Choice, Preferences, Trouble
from organizations.access import Caller, for_user
from organizations.models import Organization

GROUP_FROM = 3
"""Troubles of so many organizations or more are grouped into one notice."""


@dataclass(frozen=True)
class Recipient:
    """An address that gets notices of `organizations`.

    `administrator`: also of troubles that concern no single organization.
    """

    address: Address
    organizations: frozenset[int]
    administrator: bool
    quiet_until: datetime | None

    def should_notify(self, trouble: Trouble) -> bool:
        """Return whether this address gets a notice: not of what began before it was turned on."""
        assert self.address.on_since is not None
        return trouble.due_at >= self.address.on_since and self.is_subscribed(trouble)

    def is_subscribed(self, trouble: Trouble) -> bool:
        """Return whether this address gets notices of the thing that is in trouble."""
        if trouble.organization_id is None:
            return self.administrator
        return trouble.organization_id in self.organizations

    @property
    def groups_notices(self) -> bool:
        """Whether it is subscribed to enough organizations that their troubles are grouped."""
        return len(self.organizations) >= GROUP_FROM


def find_recipients(now: datetime) -> list[Recipient]:
    """Return the addresses that get notices. It takes a query for each person."""
    addresses = list(Address.objects.on().select_related("user__notice_preferences"))
    choices: defaultdict[int, dict[int, bool]] = defaultdict(dict)
    for choice in Choice.objects.filter(address__in=addresses):
        choices[choice.address_id][choice.organization_id] = choice.told
    visible: dict[int, frozenset[int]] = {}
    recipients = []
    for address in addresses:
        if address.user_id not in visible:
            visible[address.user_id] = _active(for_user(address.user))
        subscribed = _subscribed_organizations(
            address, visible[address.user_id], choices[address.pk]
        )
        quiet = preferences_of(address.user).quiet_end(now)
        recipients.append(Recipient(address, subscribed, address.user.is_superuser, quiet))
    return recipients


def preferences_of(user: User) -> Preferences:
    """Return a person's preferences, or unsaved defaults if they have chosen nothing."""
    found: Preferences | None = getattr(user, "notice_preferences", None)
    return found or Preferences(user=user)


def is_subscribed(address: Address, organization: Organization) -> bool:
    """Return whether an address gets notices of an organization that its person sees."""
    choice = address.choices.filter(organization=organization).first()
    return choice.told if choice else address.everywhere


def _active(caller: Caller) -> frozenset[int]:
    rows = caller.organizations.filter(deactivated_at=None)
    return frozenset(rows.order_by().values_list("pk", flat=True))


def _subscribed_organizations(
    address: Address, visible: frozenset[int], choices: Mapping[int, bool]
) -> frozenset[int]:
    return frozenset(pk for pk in visible if choices.get(pk, address.everywhere))
