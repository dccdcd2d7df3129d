"""The link for the phone's owner: one attempt of one browser, for a while, and nothing leaks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.utils import timezone
from pytest_django import Settings

from connections import actions, owner_link_texts
from connections.lifecycle import Observation, Reason
from connections.models import Connection, Method, OwnerLink, PairingAttempt
from connections.owner_link import links
from connections.owner_link.screen import screen
from connections.status import read_status
from connections.tests.support.fake_worker import NUMBER, FakeWorker, overdue
from organizations.access import Actor
from organizations.models import AuditEntry, Membership
from organizations.secret_links import hash_secret

State = OwnerLink.State
HERE = "192.0.2.9"


@pytest.fixture
def actor(alice: User) -> Actor:
    return Actor("alice", alice)


@pytest.fixture
def made(connection: Connection, actor: Actor) -> tuple[OwnerLink, str]:
    return actions.make_owner_link(connection.pk, actor)


def held_by(secret: str, browser: str = "one") -> str:
    """What the cookie of a browser holds."""
    return f"{secret}.{browser}"


def afresh(link: OwnerLink) -> OwnerLink:
    return OwnerLink.objects.get(pk=link.pk)


def age(link: OwnerLink, seconds: float) -> None:
    """Let its times lie further back."""
    found, back = afresh(link), timedelta(seconds=seconds)
    times = {
        name: time - back
        for name in ("made_at", "expires_at", "opened_at", "used_at")
        if (time := getattr(found, name))
    }
    OwnerLink.objects.filter(pk=link.pk).update(**times)


def audit() -> list[tuple[str, str, str | None]]:
    entries = AuditEntry.objects.filter(action__startswith="owner_link").order_by("pk")
    return list(entries.values_list("action", "actor", "address"))


def test_only_hashes_are_stored(made: tuple[OwnerLink, str], connection: Connection) -> None:
    link, secret = made
    assert len(bytes.fromhex(secret)) * 8 >= 128
    actions.use_owner_link(link, held_by(secret), HERE)
    row = OwnerLink.objects.filter(pk=link.pk).values().get()
    assert row["secret_hash"] == hash_secret(secret)
    assert not [name for name, value in row.items() if secret in str(value) or value == "one"]


def test_owner_link_from_new_to_linked(
    made: tuple[OwnerLink, str], connection: Connection, hand: FakeWorker, alice: User
) -> None:
    link, secret = made
    held = held_by(secret)
    assert link.state == State.NEW
    assert links.find_by_cookie(held) == link
    actions.open_owner_link(link, HERE)
    actions.open_owner_link(link, "192.0.2.10")
    assert afresh(link).state == State.OPENED
    assert not connection.events.exists()
    actions.use_owner_link(link, held, HERE)
    assert afresh(link).state == State.IN_USE
    hand.link(connection)
    assert afresh(link).state == State.LINKED
    event = connection.events.get(observation=Observation.RECONNECT_REQUESTED)
    assert (event.actor, event.user, event.address) == (
        "the phone's owner (link by alice)",
        None,
        HERE,
    )
    owner = "the phone's owner (link by alice)"
    assert audit() == [
        ("owner_link_made", "alice", None),
        ("owner_link_opened", owner, HERE),
        ("owner_link_used", owner, HERE),
    ]


def test_used_link_belongs_to_one_browser(made: tuple[OwnerLink, str]) -> None:
    link, secret = made
    mine, other = held_by(secret), held_by(secret, "two")
    assert links.find_by_cookie(other) == link
    actions.use_owner_link(link, mine, HERE)
    assert links.find_by_cookie(mine) == link
    for stranger in (other, secret, f"{secret}.", ""):
        assert links.find_by_cookie(stranger) is None
        with pytest.raises(actions.LinkOver):
            actions.use_owner_link(link, stranger, HERE)
    # A reload, or the button pressed twice, changes nothing.
    generation = Connection.objects.get(pk=link.connection_id).generation
    actions.use_owner_link(link, mine, HERE)
    assert Connection.objects.get(pk=link.connection_id).generation == generation


@pytest.mark.django_db(transaction=True)
def test_concurrent_uses_give_the_link_to_one_browser(connection: Connection, actor: Actor) -> None:
    link, secret = actions.make_owner_link(connection.pk, actor)

    def use(browser: int) -> bool:
        try:
            actions.use_owner_link(link, held_by(secret, str(browser)), HERE)
        except actions.LinkOver:
            return False
        finally:
            database.close()
        return True

    with ThreadPoolExecutor(10) as pool:
        won = list(pool.map(use, range(10)))
    assert won.count(True) == 1
    assert links.find_by_cookie(held_by(secret, str(won.index(True)))) == link
    assert [action for action, *_ in audit()].count("owner_link_used") == 1


def test_link_joins_a_pairing_in_progress(
    made: tuple[OwnerLink, str], connection: Connection, hand: FakeWorker, actor: Actor
) -> None:
    link, secret = made
    actions.request_reconnect(connection.pk, actor, Method.PHONE, NUMBER)
    fence, attempt = hand.start_pairing(connection)
    actions.show_phone_code(fence, attempt.pk, "ABCD-EFGH", 6, timedelta(seconds=60))
    actions.use_owner_link(link, held_by(secret), HERE)
    told = screen(afresh(link))
    assert (told["stage"], told["code"], told["canScan"]) == ("typed", "ABCD-EFGH", True)
    assert NUMBER not in str(told)
    assert connection.events.filter(observation=Observation.RECONNECT_REQUESTED).count() == 1
    assert audit()[-1][0] == "owner_link_used"


def test_changing_the_method_keeps_the_attempt_of_the_link(
    made: tuple[OwnerLink, str], connection: Connection, hand: FakeWorker
) -> None:
    link, secret = made
    held = held_by(secret)
    actions.use_owner_link(link, held, HERE)
    hand.show_code(connection)
    assert screen(afresh(link))["stage"] == "qr"
    actions.use_owner_link(link, held, HERE, Method.PHONE, NUMBER)
    assert screen(afresh(link))["stage"] == "wait"
    assert afresh(link).state == State.IN_USE
    actions.use_owner_link(link, held, HERE, Method.QR)
    hand.link(connection)
    assert screen(afresh(link))["stage"] == "done"


def test_link_and_its_unserved_attempt_expire(
    made: tuple[OwnerLink, str], settings: Settings, connection: Connection, actor: Actor
) -> None:
    link, secret = made
    age(link, settings.OWNER_LINK_SECONDS - 5)
    assert afresh(link).state == State.NEW
    actions.use_owner_link(link, held_by(secret), HERE)
    age(link, settings.OWNER_LINK_SECONDS / 2)
    assert afresh(link).state == State.IN_USE
    age(link, settings.PAIRING_TIMEOUT_SECONDS * 2)
    assert afresh(link).state == State.FAILED
    another, secret = actions.make_owner_link(connection.pk, actor)
    age(another, settings.OWNER_LINK_SECONDS)
    assert afresh(another).state == State.EXPIRED
    assert links.find_by_cookie(held_by(secret)) is None
    with pytest.raises(actions.LinkOver):
        actions.use_owner_link(another, held_by(secret), HERE)


@pytest.mark.parametrize("by", ["revoking", "a new link", "the maker's role", "the maker's end"])
def test_link_is_closed_when_revoked_replaced_or_its_maker_loses_the_right(
    made: tuple[OwnerLink, str], connection: Connection, actor: Actor, alice: User, by: str
) -> None:
    link, secret = made
    if by == "revoking":
        assert actions.revoke_owner_link(connection.pk, actor)
        assert not actions.revoke_owner_link(connection.pk, actor)
    elif by == "a new link":
        actions.make_owner_link(connection.pk, actor)
    elif by == "the maker's role":
        Membership.objects.filter(user=alice).update(role=Membership.Role.VIEWER)
    else:
        User.objects.filter(pk=alice.pk).update(is_active=False)
    assert afresh(link).state == State.REVOKED
    assert links.find_by_cookie(held_by(secret)) is None
    with pytest.raises(actions.LinkOver):
        actions.use_owner_link(link, held_by(secret), HERE)


def test_revoked_link_ends_its_pairing(
    made: tuple[OwnerLink, str], connection: Connection, hand: FakeWorker, actor: Actor
) -> None:
    link, secret = made
    actions.use_owner_link(link, held_by(secret), HERE)
    _, attempt = hand.show_code(connection)
    actions.revoke_owner_link(connection.pk, actor)
    attempt.refresh_from_db()
    assert (attempt.code, attempt.outcome) == ("", "cancelled")
    assert links.find_by_cookie(held_by(secret)) is None


def test_revoking_an_unused_link_keeps_the_pairing(
    made: tuple[OwnerLink, str], connection: Connection, hand: FakeWorker, actor: Actor
) -> None:
    actions.request_reconnect(connection.pk, actor)
    _, attempt = hand.show_code(connection)
    actions.revoke_owner_link(connection.pk, actor)
    attempt.refresh_from_db()
    assert attempt.ended_at is None


def test_links_of_an_organization_are_limited(
    connection: Connection, actor: Actor, settings: Settings
) -> None:
    settings.OWNER_LINKS_PER_ORGANIZATION = 3
    links = [actions.make_owner_link(connection.pk, actor)[0] for _ in range(3)]
    with pytest.raises(actions.TooManyOwnerLinks) as error:
        actions.make_owner_link(connection.pk, actor)
    assert 590 <= error.value.wait <= 600
    assert [afresh(link).state for link in links] == [State.REVOKED, State.REVOKED, State.NEW]
    age(links[0], 601)
    actions.make_owner_link(connection.pk, actor)


def test_link_for_a_connected_or_inactive_organization_is_refused(
    connection: Connection, actor: Actor, hand: FakeWorker, made: tuple[OwnerLink, str]
) -> None:
    link, secret = made
    actions.request_reconnect(connection.pk, actor)
    hand.link(connection)
    with pytest.raises(actions.AlreadyConnected):
        actions.make_owner_link(connection.pk, actor)
    with pytest.raises(actions.LinkOver):
        actions.use_owner_link(link, held_by(secret), HERE)
    assert afresh(link).used_at is None
    assert NUMBER not in str(screen(link))


def test_link_for_a_banned_number_is_refused(
    connection: Connection, hand: FakeWorker, actor: Actor
) -> None:
    actions.request_reconnect(connection.pk, actor)
    fence, until = hand.link(connection), timezone.now() + timedelta(hours=3)
    actions.record_event(fence, Reason.TEMPORARILY_BANNED, retry_at=until)
    with pytest.raises(actions.TemporarilyBanned) as refused:
        actions.make_owner_link(connection.pk, actor)
    assert refused.value.until == until
    actions.record_event(fence, Reason.LINK_LOST)
    actions.make_owner_link(connection.pk, actor)


def test_link_ends_when_staff_have_linked_the_phone(
    connection: Connection, actor: Actor, hand: FakeWorker, made: tuple[OwnerLink, str]
) -> None:
    link, secret = made
    opened, never_opened = held_by(secret), "linked without"
    actions.open_owner_link(link, HERE)
    assert links.find_by_cookie(opened) == link
    actions.request_reconnect(connection.pk, actor)
    fence = hand.link(connection)
    link = afresh(link)
    assert (link.state, link.is_open, link.used_at) == (State.LINKED, False, None)
    # The page that is open says so, and that it can be closed; also when the number drops later.
    assert links.find_by_cookie(opened) == link
    assert screen(link)["stage"] == "done"
    newest = owner_link_texts.as_json(link, read_status(connection.pk))
    assert newest and never_opened in newest["sentence"] and not newest["canRevoke"]
    actions.record_event(fence, Reason.LOGGED_OUT_BY_PHONE)
    assert screen(afresh(link))["stage"] == "done"
    with pytest.raises(actions.LinkOver):
        actions.use_owner_link(link, opened, HERE)
    assert not actions.revoke_owner_link(connection.pk, actor)
    PairingAttempt.objects.update(ended_at=timezone.now() - links.OUTCOME_SHOWN_FOR)
    OwnerLink.objects.update(made_at=timezone.now() - timedelta(days=1))
    assert links.find_by_cookie(opened) is None


def test_link_that_was_tried_ends_when_staff_have_linked_the_phone(
    connection: Connection, actor: Actor, hand: FakeWorker, made: tuple[OwnerLink, str]
) -> None:
    link, secret = made
    actions.use_owner_link(link, held_by(secret), HERE)
    hand.show_code(connection)
    actions.cancel_owner_attempt(link, held_by(secret), HERE)
    assert afresh(link).state == State.RETRY
    actions.request_reconnect(connection.pk, actor)
    hand.link(connection)
    assert afresh(link).state == State.LINKED
    assert screen(afresh(link))["stage"] == "done"


def test_link_that_nobody_opened_shows_no_outcome(
    connection: Connection, actor: Actor, hand: FakeWorker, made: tuple[OwnerLink, str]
) -> None:
    link, secret = made
    actions.request_reconnect(connection.pk, actor)
    hand.link(connection)
    assert links.find_by_cookie(held_by(secret)) is None


def test_expired_code_is_not_shown(
    made: tuple[OwnerLink, str], connection: Connection, hand: FakeWorker
) -> None:
    link, secret = made
    actions.use_owner_link(link, held_by(secret), HERE)
    _, attempt = hand.show_code(connection)
    overdue(attempt)
    connection.attempts.update(code_expires_at=timezone.now())
    assert screen(afresh(link))["stage"] == "wait"
