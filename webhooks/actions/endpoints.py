"""Make, change, rotate and delete endpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Subquery
from django.utils import timezone

from events import troubles
from events.models import Event, EventCounter
from events.notifications import wake_workers
from organizations.access import Actor
from organizations.audit import Action, log_audit
from organizations.models import Organization
from outbound.addresses import check_url
from outbound.errors import AddressRefused
from outbound.policy import webhook_policy
from webhooks import refusals
from webhooks.actions import given_up
from webhooks.actions.claims import lock as lock_cursors
from webhooks.actions.states import TROUBLE, change_state
from webhooks.formats import FORMATS, new_verify_token
from webhooks.models import Cursor, Endpoint
from webhooks.rights import Right, lock_and_require

OLD_SECRET_LASTS = timedelta(hours=24)
CURSORS_AT_ONCE = 1000

State, Reason = Endpoint.State, Endpoint.Reason


@dataclass(frozen=True)
class NewEndpoint:
    """What a new endpoint shall be.

    `after`: the sequence of the log to start behind, None: its end. `verify_token`: for formats
    that have one; without it the endpoint begins paused, and is asked when it is enabled.
    """

    url: str
    types: Sequence[str] = ()
    format: str = "standard"
    after: int | None = None
    verify_token: str = ""


class Created(NamedTuple):
    """A new endpoint. Its secrets are told only now."""

    endpoint: Endpoint
    secret: str
    verify_token: str | None


def create(organization: Organization | None, new: NewEndpoint, actor: Actor) -> Created:
    """Make an endpoint of an organization, or of all of them (None).

    Raises PermissionDenied, and refusals: BadAddress, NotVerified, TooManyVerifications,
    TooManyWebhooks.
    """
    form = FORMATS[new.format]
    token = actor.token
    endpoint = Endpoint(
        organization=organization,
        url=new.url,
        host=_host(new.url),
        types=sorted(set(new.types)),
        format=new.format,
        secret=form.new_secret(),
        made_by=actor.short_label,
        user=actor.user or (token.user if token else None),
        token=token,
    )
    if form.has_verify_token:
        endpoint.verify_token = new.verify_token or new_verify_token()
        if new.verify_token:
            form.verify(endpoint)
        else:
            endpoint.state, endpoint.reason = State.PAUSED, Reason.NOT_VERIFIED
    _store(endpoint, new.after, actor)
    return Created(endpoint, endpoint.secret, endpoint.verify_token)


@transaction.atomic
def _store(endpoint: Endpoint, after: int | None, actor: Actor) -> None:
    organization = endpoint.organization
    lock_and_require(actor, organization, Right.EDIT)
    present = Endpoint.objects.present().filter(organization=organization)
    if present.count() >= settings.WEBHOOKS_PER_ORGANIZATION:
        raise refusals.TooManyWebhooks
    endpoint.save()
    last = _last_sequences(organization)
    Cursor.objects.bulk_create(
        [
            Cursor(endpoint=endpoint, organization_id=pk, position=_start(after, end))
            for pk, end in last.items()
        ],
        batch_size=CURSORS_AT_ONCE,
    )
    log_audit(Action.WEBHOOK_MADE, organization, actor, f"{endpoint.host} ({endpoint.format})")
    wake_workers(organization.pk if organization else None)


def _start(after: int | None, end: int) -> int:
    """Return the position of a new cursor in a log that ends there."""
    return end if after is None else min(after, end)


def _last_sequences(organization: Organization | None) -> dict[int, int]:
    """Return the last sequence of this organization's log, or of all of them."""
    rows = Organization.objects.present().order_by("pk")
    if organization is not None:
        rows = rows.filter(pk=organization.pk)
    found = dict.fromkeys(rows.values_list("pk", flat=True), 0)
    counters = EventCounter.objects.filter(organization__in=rows)
    return found | dict(counters.values_list("organization_id", "last"))


def change(
    endpoint: Endpoint,
    actor: Actor,
    *,
    url: str | None = None,
    types: Sequence[str] | None = None,
) -> Endpoint:
    """Give an endpoint another address or other types of events, and return it.

    Raises PermissionDenied, Endpoint.DoesNotExist, and refusals: BadAddress, NotVerified,
    TooManyVerifications.
    """
    changes: dict[str, object] = {}
    if url is not None and url != endpoint.url:
        changes |= {"url": url, "host": _host(url)}
        if FORMATS[endpoint.format].has_verify_token and endpoint.reason != Reason.NOT_VERIFIED:
            asked = Endpoint.objects.get(pk=endpoint.pk)
            asked.url = url
            FORMATS[endpoint.format].verify(asked)
    if types is not None and (kinds := sorted(set(types))) != endpoint.types:
        changes["types"] = kinds
    return _change(endpoint, actor, changes) if changes else endpoint


@transaction.atomic
def _change(endpoint: Endpoint, actor: Actor, changes: dict[str, object]) -> Endpoint:
    locked = lock_endpoint(endpoint, actor, Right.EDIT)
    host = locked.host
    if "types" in changes:
        _skip_unwanted(locked)
    for name, value in changes.items():
        setattr(locked, name, value)
    locked.revision += 1
    locked.save(update_fields=[*changes, "revision"])
    moved = "url" in changes
    detail = f"{host} → {locked.host}" if moved else f"{host}: {', '.join(locked.types) or 'all'}"
    log_audit(Action.WEBHOOK_CHANGED, locked.organization, actor, detail)
    return locked


def _skip_unwanted(endpoint: Endpoint) -> None:
    """Move an endpoint's cursors past events that it did not want when they came.

    Cursors may stay behind those (claims.py), and types that are added count from now on.
    """
    log = Event.objects.filter(
        organization=OuterRef("organization"), sequence__gt=OuterRef("position")
    )
    wanted = log.filter(type__in=endpoint.types) if endpoint.types else log
    last = EventCounter.objects.filter(organization=OuterRef("organization")).values("last")
    behind = Cursor.objects.filter(
        ~Exists(wanted),
        endpoint=endpoint,
        kind=Cursor.Kind.LIVE,
        lease_until=None,
        organization__event_counter__last__gt=F("position"),
    )
    behind.update(position=Subquery(last))


@transaction.atomic
def rotate(endpoint: Endpoint, actor: Actor) -> Created:
    """Give an endpoint a new secret, and return it.

    The old one signs, too, for a day, if the format has room for both signatures.
    Raises PermissionDenied and Endpoint.DoesNotExist.
    """
    locked = lock_endpoint(endpoint, actor, Right.EDIT)
    form = FORMATS[locked.format]
    if form.signs_twice:
        locked.old_secret = locked.secret
        locked.old_secret_until = timezone.now() + OLD_SECRET_LASTS
    locked.secret = form.new_secret()
    locked.revision += 1
    locked.save(update_fields=["secret", "old_secret", "old_secret_until", "revision"])
    log_audit(Action.WEBHOOK_SECRET_ROTATED, locked.organization, actor, locked.host)
    return Created(locked, locked.secret, None)


@transaction.atomic
def pause(endpoint: Endpoint, actor: Actor) -> Endpoint:
    """Send nothing more until it is enabled; what happens meanwhile waits. Return the endpoint.

    Raises PermissionDenied and Endpoint.DoesNotExist.
    """
    locked = lock_endpoint(endpoint, actor, Right.MANAGE)
    if locked.state == State.ENABLED:
        change_state(locked, State.PAUSED, Reason.PAUSED_BY_PERSON, actor)
    return locked


def enable(endpoint: Endpoint, actor: Actor) -> Endpoint:
    """Send again, at once, what waits. Who enables it answers for it from now on.

    Raises PermissionDenied, Endpoint.DoesNotExist, and refusals: NotVerified, TooManyVerifications.
    """
    if endpoint.reason == Reason.NOT_VERIFIED:
        FORMATS[endpoint.format].verify(endpoint)
    return _enable(endpoint, actor)


@transaction.atomic
def _enable(endpoint: Endpoint, actor: Actor) -> Endpoint:
    locked = lock_endpoint(endpoint, actor, Right.EDIT)
    if locked.state == State.ENABLED:
        return locked
    locked.made_by, locked.token = actor.short_label, actor.token
    locked.user = actor.user or (actor.token.user if actor.token else None)
    locked.failing_since = None
    locked.save(update_fields=["made_by", "token", "user", "failing_since"])
    change_state(locked, State.ENABLED, "", actor)
    cursors = lock_cursors(Cursor.objects.filter(endpoint=locked))
    Cursor.objects.filter(pk__in=cursors).update(due_at=timezone.now(), slow=False)
    wake_workers(locked.organization_id)
    return locked


@transaction.atomic
def delete(endpoint: Endpoint, actor: Actor) -> None:
    """Delete an endpoint; a worker removes its deliveries later, bit by bit.

    Raises PermissionDenied and Endpoint.DoesNotExist.
    """
    locked = lock_endpoint(endpoint, actor, Right.MANAGE)
    locked.deleted_at, locked.state = timezone.now(), State.DISABLED
    locked.secret = locked.url = ""
    locked.old_secret = locked.verify_token = None
    locked.revision += 1
    locked.save()
    troubles.end(locked.organization_id, TROUBLE, locked.public_id, recovered=False)
    given_up.end(locked, recovered=False)
    log_audit(Action.WEBHOOK_DELETED, locked.organization, actor, locked.host)


def lock_endpoint(endpoint: Endpoint, actor: Actor, right: Right) -> Endpoint:
    """Lock an endpoint on which the actor has this right, and return it reloaded.

    Raises PermissionDenied and Endpoint.DoesNotExist.
    """
    lock_and_require(actor, endpoint.organization, right)
    locked = Endpoint.objects.present().select_for_update(no_key=True, of=("self",))
    return locked.select_related("organization").get(pk=endpoint.pk)


def _host(url: str) -> str:
    """Return the host and port of an address that may be used. Raises refusals.BadAddress."""
    try:
        return check_url(url, webhook_policy()).authority
    except AddressRefused as error:
        raise refusals.BadAddress from error
