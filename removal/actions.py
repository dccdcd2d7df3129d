"""The requests of administrators about removals. Each is audited."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from connections import actions as connection_actions
from connections import broadcast
from connections.models import Connection, Worker
from organizations.access import Actor, Permission
from organizations.audit import Action, log_audit
from organizations.locks import lock, lock_organization
from organizations.models import Invitation, Organization
from organizations.revocation import organization_tokens, revoke_trees
from removal import contents
from removal.models import Removal, is_logging_out
from removal.refusals import NothingToDecide

REMOVALS = "removals"
"""The kind of work that workers are notified of (`broadcast.notify_work`)."""


@transaction.atomic
def start_removal(organization: Organization, actor: Actor, *, wait_for_logout: bool) -> Removal:
    """Hide an organization from everybody, and let a worker log out and delete all it has.

    `wait_for_logout`: nothing is deleted until WhatsApp has confirmed the logout. Requested again,
    it changes nothing. Raises Organization.DoesNotExist and PermissionDenied.
    """
    caller, locked = lock(actor, organization)
    assert locked is not None
    if caller is not None:
        caller.require_superuser()
    if locked.removing_since is not None:
        return Removal.objects.get(pk=locked.pk)
    connection = Connection.objects.of(locked)
    number = connection.number or connection.last_number
    detail = contents.describe(locked.name, contents.count(locked.pk).counts)
    log_audit(Action.REMOVAL_STARTED, locked, actor, detail)
    removal = Removal.objects.create(
        organization_id=locked.pk,
        name=locked.name,
        number=number[-4:],
        logout=Removal.Logout.PENDING if connection.store_name else Removal.Logout.NOT_LINKED,
        logout_required=wait_for_logout,
        actor=actor.short_label,
        user=actor.user,
        address=actor.address,
    )
    _close(locked, connection, actor, wait_for_logout)
    broadcast.notify_work(REMOVALS)
    return removal


def _close(
    organization: Organization, connection: Connection, actor: Actor, wait_for_logout: bool
) -> None:
    """End all ways to an organization, and request its logout."""
    # While the rights are still there, which the revocations check again.
    connection_actions.revoke_owner_link(connection.pk, actor)
    revoke_trees(organization_tokens(organization).select_related("organization"), actor)
    Invitation.objects.filter(organization=organization).delete()
    now = timezone.now()
    Organization.objects.filter(pk=organization.pk).update(
        removing_since=now, deactivated_at=organization.deactivated_at or now
    )
    _request_logout(connection.pk, actor, wait_for_logout)


def _request_logout(organization_id: int, actor: Actor, wait_for_logout: bool) -> None:
    """Request a removal's logout, or leave that to `request_left_logout`.

    A worker of an earlier version, which runs during an upgrade, would delete the credentials after
    one try.
    """
    linked = Connection.objects.filter(pk=organization_id).exclude(store_name="").exists()
    if linked and wait_for_logout and Worker.objects.alive().of_earlier_version().exists():
        return
    connection_actions.request_final_disconnect(organization_id, actor, confirmed=wait_for_logout)


@transaction.atomic
def request_left_logout(organization_id: int) -> None:
    """Request the logout of a removal that could not be requested at its start, if it can now."""
    removal = Removal.objects.select_for_update().get(pk=organization_id)
    if not Connection.objects.filter(pk=organization_id, logout_pending=True).exists():
        _request_logout(organization_id, removal.requester, removal.logout_required)


@transaction.atomic
def record_archive(organization: Organization, actor: Actor, reason: str = "") -> None:
    """Audit that all data is exported, and why an administrator reads it.

    Raises PermissionDenied.
    """
    locked = lock_organization(organization, actor, Permission.MANAGE)
    if reason:
        log_audit(Action.TEXTS_OPENED, locked, actor, reason)
    log_audit(Action.ORGANIZATION_EXPORTED, locked, actor)


@transaction.atomic
def decide_logout(organization_id: int, actor: Actor, *, wait_for_logout: bool) -> Removal:
    """Try the logout of a removal again now; without `wait_for_logout` for the last time.

    Then all is deleted, confirmed or not. Raises NothingToDecide when the logout is over, and
    Removal.DoesNotExist and PermissionDenied.
    """
    caller, _organization = lock(actor, None)
    if caller is not None:
        caller.require_superuser()
    removal = Removal.objects.select_for_update().get(pk=organization_id)
    connection = Connection.objects.filter(pk=organization_id).first()
    if connection is None or not is_logging_out(connection):
        raise NothingToDecide
    if removal.logout_required and not wait_for_logout:
        organization = Organization.objects.get(pk=organization_id)
        log_audit(Action.REMOVAL_FORCED, organization, actor, removal.name)
    removal.logout_required = wait_for_logout
    removal.save(update_fields=["logout_required"])
    _request_logout(organization_id, actor, wait_for_logout)
    return removal
