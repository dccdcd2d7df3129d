"""Locks under which an actor's right is checked again, right before a change.

A right ends only under these locks: so a change that was made with it is either complete before the
end, which then finds it, or is refused. They are taken in one order (users, organization, and what
belongs to an organization), so two actions never wait for each other. On SQLite a transaction locks
the whole database (`BEGIN IMMEDIATE`).
"""

from __future__ import annotations

from django.contrib.auth.models import User

from organizations.access import Caller, Permission
from organizations.actors import Actor
from organizations.models import Organization


def lock(
    actor: Actor, organization: Organization | None, user: User | None = None
) -> tuple[Caller | None, Organization | None]:
    """Lock the actor's user, `user` and the organization. Return actor and organization read again.

    Raises PermissionDenied when the actor's token or user is no longer valid, and
    Organization.DoesNotExist.
    """
    users = {found.pk for found in (actor.user, user) if found is not None}
    # no_key: rows that only refer to these, such as a history's, can still be added.
    rows = User.objects.select_for_update(no_key=True).filter(pk__in=users).order_by("pk")
    list(rows.values_list("pk", flat=True))
    if organization is not None:
        locked = Organization.objects.select_for_update(no_key=True)
        organization = locked.get(pk=organization.pk)
    return actor.caller and actor.caller.reread(), organization


def lock_organization(
    organization: Organization, actor: Actor, permission: Permission, user: User | None = None
) -> Organization:
    """Lock an organization in which the actor has this permission, and return it read again.

    Raises PermissionDenied, and what `lock` raises.
    """
    caller, locked = lock(actor, organization, user)
    assert locked is not None
    if caller is not None:
        caller.require(permission, locked)
    return locked
