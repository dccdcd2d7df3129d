"""Who may do what with webhooks. Endpoints of all organizations are for administrators only."""

from __future__ import annotations

from enum import StrEnum

from django.core.exceptions import PermissionDenied
from django.utils.translation import gettext

from organizations.access import DENIED_MESSAGES, Actor, Caller, Permission
from organizations.locks import lock
from organizations.models import Organization


class Right(StrEnum):
    """A right to the webhooks of an organization, or of the installation."""

    SEE = "see"  # hosts, states, the log of deliveries
    REPEAT = "repeat"  # tests, sending again: nothing goes to a new address
    MANAGE = "manage"  # pause and delete
    EDIT = "edit"  # addresses, secrets, enabling: events carry the texts of messages


PERMISSIONS = {
    Right.SEE: (Permission.SEE,),
    Right.REPEAT: (Permission.OPERATE,),
    Right.MANAGE: (Permission.MANAGE,),
    Right.EDIT: (Permission.MANAGE, Permission.READ_MESSAGES),
}


def require(caller: Caller, organization: Organization | None, right: Right) -> None:
    """Raise PermissionDenied unless the caller has this right there. None: the installation."""
    if organization is not None:
        for permission in PERMISSIONS[right]:
            caller.require(permission, organization)
        return
    caller.require_superuser()
    reads = caller.token is None or caller.token.reads_messages
    if right == Right.EDIT and not reads:
        raise PermissionDenied(gettext(DENIED_MESSAGES[Permission.READ_MESSAGES]))


def may(caller: Caller, organization: Organization | None, right: Right) -> bool:
    """Return whether the caller has this right there."""
    try:
        require(caller, organization, right)
    except PermissionDenied:
        return False
    return True


def lock_and_require(actor: Actor, organization: Organization | None, right: Right) -> None:
    """Lock the actor and the organization, and check the right again.

    Raises PermissionDenied and Organization.DoesNotExist.
    """
    caller, locked = lock(actor, organization)
    if caller is not None:
        require(caller, locked, right)
