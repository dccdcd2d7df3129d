"""Row locks for checking an actor's rights again right before a change.

Revoking a right takes the same locks. So a change either commits before the revocation, which then
sees it, or is refused. Locks are taken in one order (users, organization, rows of an organization),
so two actions never deadlock. On SQLite a transaction locks the whole database (`BEGIN IMMEDIATE`).
"""

from __future__ import annotations

from django.contrib.auth.models import User

from organizations.access import Actor, Caller, Permission
from organizations.models import Organization


def lock(
    actor: Actor, organization: Organization | None, user: User | None = None
) -> tuple[Caller | None, Organization | None]:
    """Lock the actor's user, `user` and the organization; return caller and organization reloaded.

    Raises PermissionDenied when the actor's token or user is no longer valid, and
    Organization.DoesNotExist.
    """
    users = {found.pk for found in (actor.user, user) if found is not None}
    # no_key: other transactions can still insert rows that refer to these.
    rows = User.objects.select_for_update(no_key=True).filter(pk__in=users).order_by("pk")
    list(rows.values_list("pk", flat=True))
    if organization is not None:
        locked = Organization.objects.select_for_update(no_key=True)
        organization = locked.get(pk=organization.pk)
    return actor.caller and actor.caller.reread(), organization


def lock_organization(
    organization: Organization, actor: Actor, permission: Permission, user: User | None = None
) -> Organization:
    """Lock an organization in which the actor has this permission, and return it reloaded.

    Raises PermissionDenied, and what `lock` raises.
    """
    caller, locked = lock(actor, organization, user)
    assert locked is not None
    if caller is not None:
        caller.require(permission, locked)
    return locked


def lock_full_data(organization: Organization, actor: Actor) -> Organization:
    """Lock an organization whose data the actor may export and erase, and return it reloaded.

    Raises PermissionDenied, and what `lock` raises.
    """
    caller, locked = lock(actor, organization)
    assert locked is not None
    if caller is not None:
        caller.require_full_data(locked)
    return locked
