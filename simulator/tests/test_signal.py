"""Sessions between two simulated accounts: order, loss, repetition, storage."""

from __future__ import annotations

import random

import pytest

from simulator.signal.identity import Identity
from simulator.signal.primitives import Unreadable
from simulator.signal.ratchet import OldCounter
from simulator.signal.session import SignalSession
from simulator.xeddsa import KeyPair

ALICE, BOB = Identity(KeyPair(), 1), Identity(KeyPair(), 2)


@pytest.fixture
def pair() -> tuple[SignalSession, SignalSession]:
    """Return the sessions of both sides, started by the first one."""
    alice, bob = SignalSession(ALICE), SignalSession(BOB)
    alice.start(BOB.bundle())
    return alice, bob


def test_first_messages_start_a_session_until_the_answer(
    pair: tuple[SignalSession, SignalSession],
) -> None:
    alice, bob = pair
    first, second = alice.encrypt(b"first"), alice.encrypt(b"second")
    assert (first[0], second[0]) == ("pkmsg", "pkmsg")
    assert (bob.decrypt(*second), bob.decrypt(*first)) == (b"second", b"first")
    answer = bob.encrypt(b"answer")
    assert (answer[0], alice.decrypt(*answer)) == ("msg", b"answer")
    assert alice.encrypt(b"third")[0] == "msg"
    assert (alice.remote, bob.remote) == (BOB.keys.public, ALICE.keys.public)


def test_late_messages_are_readable_once_in_any_order(
    pair: tuple[SignalSession, SignalSession],
) -> None:
    alice, bob = pair
    chance, sent, expected = random.Random(3), [], []
    for turn in range(4):
        for part in range(10):
            expected.append(b"%d.%d" % (turn, part))
            sent.append(alice.encrypt(expected[-1]))
        bob.decrypt(*sent.pop())
        expected.pop()
        alice.decrypt(*bob.encrypt(b"answer"))
    chance.shuffle(sent)
    bob = SignalSession(BOB, bob.dump())
    assert sorted(bob.decrypt(*message) for message in sent) == sorted(expected)
    for message in sent:
        with pytest.raises(OldCounter):
            bob.decrypt(*message)


def test_unreadable_message_does_not_change_the_session(
    pair: tuple[SignalSession, SignalSession],
) -> None:
    alice, bob = pair
    bob.decrypt(*alice.encrypt(b"first"))
    alice.decrypt(*bob.encrypt(b"answer"))
    kind, data = alice.encrypt(b"second")
    before = bob.dump()
    for position in range(0, len(data), 7):
        corrupted = bytearray(data)
        corrupted[position] ^= 1
        with pytest.raises(Unreadable):
            bob.decrypt(kind, bytes(corrupted))
    assert bob.dump() == before
    assert bob.decrypt(kind, data) == b"second"


def test_new_session_replaces_a_lost_one_and_late_messages_stay_readable(
    pair: tuple[SignalSession, SignalSession],
) -> None:
    alice, bob = pair
    bob.decrypt(*alice.encrypt(b"first"))
    late = alice.encrypt(b"late")
    alice = SignalSession(ALICE)
    alice.start(BOB.bundle())
    assert bob.decrypt(*alice.encrypt(b"again")) == b"again"
    assert bob.decrypt(*late) == b"late"
    with pytest.raises(Unreadable, match="no session"):
        SignalSession(BOB).decrypt("msg", late[1])
