"""A phone that is off shows no sign of device 0, while its companion stays connected."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.client import ControlError
from simulator.process import Simulator, start

from .companions import Companion, companion, link, linked
from .waiting import eventually

NUMBER, PERSON = "5511987654321", "5511912345678"


def signs(org: Companion) -> list[str]:
    """Return the ids of receipts that the own phone has sent."""
    return [
        message_id
        for event in org.seen
        if event["event"] == "Receipt" and event["IsFromMe"] and ":" not in event["Sender"]
        for message_id in event["ids"]
    ]


def test_phone_that_is_off_confirms_nothing_until_it_is_on(
    simulator: Simulator, database: Path
) -> None:
    control = simulator.control
    control.save_person(PERSON)
    with linked(simulator, database, NUMBER) as org:
        control.switch_phone(NUMBER, False)
        assert not control.is_phone_on(NUMBER)
        sent = [org.send_text(PERSON, text) for text in ("one", "two")]
        # The person's phone is on, and its receipts come after those of the own phone.
        org.wait_all("Receipt", 2)
        control.say(PERSON, NUMBER, "are you there?")
        org.wait("Message")
        assert signs(org) == [] and control.messages(NUMBER) == []
        assert [device["online"] for device in control.devices()] == [True]
        control.switch_phone(NUMBER, True)
        org.wait_all("Receipt", 4)
        assert signs(org) == sent
        texts = [message["text"] for message in control.messages(NUMBER)]
        assert sorted(texts) == ["are you there?", "one", "two"]


def test_owner_of_a_phone_that_is_off_does_nothing(simulator: Simulator, database: Path) -> None:
    control = simulator.control
    control.save_person(PERSON)
    link(simulator, database, NUMBER)
    control.switch_phone(NUMBER, False)
    for act in (
        lambda: control.say(NUMBER, PERSON, "Hello"),
        lambda: control.read(NUMBER, PERSON, ["3A"]),
        lambda: control.send_receipt(NUMBER, PERSON, ["3A"]),
        lambda: control.set_typing(NUMBER, PERSON),
    ):
        with pytest.raises(ControlError) as refused:
            act()
        assert (refused.value.status, refused.value.message) == (409, "the phone is off")
    with companion(simulator, database.with_name("other.db")) as other:
        code = other.wait("qr")["text"]
        with pytest.raises(ControlError) as refused:
            control.scan(code, number=NUMBER)
        assert refused.value.status == 409
        control.switch_phone(NUMBER, True)
        control.scan(code, number=NUMBER)


def test_what_a_phone_has_not_got_waits_over_a_restart(tmp_path: Path) -> None:
    state, database = tmp_path / "state", tmp_path / "session.db"
    with start(state) as simulator:
        simulator.control.save_person(PERSON)
        with linked(simulator, database, NUMBER) as org:
            simulator.control.switch_phone(NUMBER, False)
            org.send_text(PERSON, "one")
            org.wait_all("Receipt", 1)  # It can come before the send returns.
        simulator.kill()
    with start(state) as simulator:
        control = simulator.control
        assert not control.is_phone_on(NUMBER) and control.messages(NUMBER) == []
        control.switch_phone(NUMBER, True)
        messages = eventually(lambda: control.messages(NUMBER), bool)
        assert [message["text"] for message in messages] == ["one"]
        control.reset()
        with pytest.raises(ControlError):
            control.is_phone_on(NUMBER)
