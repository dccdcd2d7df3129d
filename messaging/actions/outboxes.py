"""The lock of an organization's messages, which each writer of messages takes first.

So a batch from WhatsApp, an outcome and a request never overlap in one organization: receipts meet
the id that is being stored, contacts are merged once, and rows are locked in any order without a
deadlock. Before it come, where they are needed, the locks of users, organization and connection;
after it the counter of the log. `messaging/organization_deletion.py` takes all of them.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from django.utils import timezone

from connections.models import Connection
from messaging.actions import histories, statuses
from messaging.models import CANCELLABLE_STATES, Message, Outbox
from organizations.access import Actor, Permission
from organizations.models import Organization
from organizations.phone_numbers import same_number

State = Message.State

# A message that is older when a phone is linked anew waits for a person's decision.
OLD_AT_NEW_LINK = timedelta(minutes=10)
# So many messages fail or are held in one transaction, which takes about a second.
AT_ONCE = 1000


def lock(organization_id: int) -> Outbox | None:
    """Lock an organization's messages until the transaction ends, and return its outbox.

    None when the organization was deleted.
    """
    return lock_all([organization_id]).get(organization_id)


def lock_all(organization_ids: Collection[int]) -> dict[int, Outbox]:
    """Lock the messages of organizations, and return their outboxes; none for deleted ones.

    They are locked by their ids, upwards, so that two callers never wait for each other.
    """
    rows = Outbox.objects.select_for_update().filter(organization__in=organization_ids)
    found = {outbox.pk: outbox for outbox in rows.order_by("pk")}
    if len(found) < len(organization_ids):
        existing = Organization.objects.filter(pk__in=set(organization_ids) - set(found))
        missing = sorted(existing.values_list("pk", flat=True))
        Outbox.objects.bulk_create(map(_new, missing), ignore_conflicts=True)
        found |= {outbox.pk: outbox for outbox in rows.filter(pk__in=missing).order_by("pk")}
    return found


def lock_for_sender(organization_id: int, actor: Actor) -> Organization:
    """Lock an organization, in which the actor may still send, and return it reloaded.

    Its settings for messages, its connection and its outbox are read along. It keeps a deactivation
    and a lost membership out. Unlike `organizations.locks` it does not lock the user: all that one
    user sends would go one by one.
    Raises Organization.DoesNotExist and PermissionDenied.
    """
    locked = Organization.objects.select_for_update(no_key=True, of=("self",))
    related = ("messaging_settings", "connection__worker", "outbox")
    organization = locked.select_related(*related).get(pk=organization_id)
    if actor.caller is not None:
        actor.caller.reread().require(Permission.SEND_MESSAGES, organization)
    return organization


def _new(organization_id: int) -> Outbox:
    """Return an outbox of the present link, or of the last one."""
    connection = Connection.objects.filter(pk=organization_id).first()
    if connection is None:
        return Outbox(organization_id=organization_id)
    return Outbox(
        organization_id=organization_id,
        store_name=connection.store_name,
        number=connection.number or connection.last_number,
    )


def lock_linked(connection: Connection) -> Outbox:
    """Lock the messages of a connection whose row is locked; bring the outbox to its link.

    See `follow`.
    """
    outbox = lock(connection.pk)
    assert outbox is not None, "the connection's row keeps its organization"
    if is_behind(outbox, connection):
        follow(outbox, connection)
    return outbox


def follow_for_sender(organization: Organization) -> None:
    """Bring an organization's outbox to its present link, before a message is stored in it.

    Else that would count as one from before the link. The organization is of `lock_for_sender`.
    """
    connection = getattr(organization, "connection", None)
    outbox = getattr(organization, "outbox", None)
    while connection is not None and outbox is not None and is_behind(outbox, connection):
        connection = Connection.objects.select_for_update().get(pk=organization.pk)
        outbox = lock_linked(connection)


def is_behind(outbox: Outbox, connection: Connection) -> bool:
    """Return whether an outbox belongs to a link before the present one."""
    return connection.store_name not in ("", outbox.store_name)  # "": there is no link


def follow(outbox: Outbox, connection: Connection) -> None:
    """Bring an outbox, which is locked as is its connection, to a new link.

    While very many messages wait, that takes several calls; until then the outbox has the store of
    the link before.
    """
    if _follow_new_link(connection, outbox):
        outbox.store_name, outbox.number = connection.store_name, connection.number
        outbox.replies_only_until, outbox.checked_secrets = None, 0
        outbox.open_histories = histories.of_store(outbox, connection.store_name)
        outbox.save()


def _follow_new_link(connection: Connection, outbox: Outbox) -> bool:
    """Fail what waits when another number was linked; else hold what is old.

    Return whether that is done for all of them.
    """
    messages = Message.objects.filter(organization=connection.pk)
    # Their link is gone, and with it the table that says whether they left.
    sending = messages.filter(state=State.SENDING)
    statuses.change_all(connection.pk, sending, State.UNKNOWN, "host_gone")
    state, reason = State.HELD, "new_link"
    if outbox.number and not same_number(outbox.number, connection.number):
        messages = messages.filter(state__in=CANCELLABLE_STATES)
        state, reason = State.FAILED, "number_changed"
    else:
        old = timezone.now() - OLD_AT_NEW_LINK
        messages = messages.filter(state=State.QUEUED, created_at__lt=old)
    return statuses.change_all(connection.pk, messages, state, reason, limit=AT_ONCE) < AT_ONCE
