"""The old messages of a phone's history are not taken for lost ones, and swallow no message."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from connections.worker import spools
from connections.worker.message_port import StoredSecret
from messaging.actions import histories, lost, maintenance
from messaging.models import Contact, HistoryId, Message, Outbox
from messaging.tests.support.linked import ANA, Linked
from messaging.tests.support.records import message, number_jid

State = Message.State

pytestmark = pytest.mark.django_db

ROWS = count(1)
CLIENT = "store-1-0123"


def history(
    *ids: str, announced: int = 0, client: str = CLIENT, minutes: float = 0
) -> dict[str, object]:
    """Return a line about a history. `announced`: how many are not read yet."""
    at = timezone.now() - timedelta(minutes=minutes)
    about = {"client": client, "open": announced, "at": int(at.timestamp() * 1000)}
    return {"kind": "history", "ids": list(ids), **about}


def compare(linked: Linked, *ids: str, newest: int = 0) -> int | None:
    """Compare rows of the table with these ids. Return where the comparison goes on."""
    chat = number_jid(ANA)
    secrets = [StoredSecret(next(ROWS), chat, chat, each, b"?") for each in ids]
    row = secrets[-1].row if secrets else 0
    return lost.record_secrets(linked.fence, secrets, row, max(row, newest))


def named(linked: Linked) -> list[object]:
    return [event.data["whatsappId"] for event in linked.events("message.lost")]


def test_messages_of_a_history_are_not_lost_and_make_no_contact(linked: Linked) -> None:
    linked.store(history(announced=1), history("OLD1", "OLD2", announced=1), history())
    assert compare(linked, "OLD1", "OLD2") is not None
    assert linked.messages() == [] and linked.events() == []
    assert not Contact.objects.exists()
    # Their rows are compared once, so the ids are not kept.
    assert not HistoryId.objects.exists()


def test_lost_message_between_those_of_a_history_is_named(linked: Linked) -> None:
    linked.store(history("OLD1", "OLD2"))
    compare(linked, "OLD1", "3EB0LOST", "OLD2")
    assert named(linked) == ["3EB0LOST"]


@pytest.mark.parametrize("is_compared", [False, True])
def test_message_that_arrives_after_its_history_is_received(
    linked: Linked, is_compared: bool
) -> None:
    """It waited at WhatsApp while the phone made the history."""
    linked.store(history("3EB0A"))
    if is_compared:
        compare(linked, "3EB0A")
    linked.store(message(ANA, id="3EB0A", body="Oi"))
    compare(linked, "3EB0A")
    [stored] = linked.messages()
    assert (stored.state, stored.content["text"]["body"]) == (State.RECEIVED, "Oi")
    assert [event.type for event in linked.events()] == ["message.received"]


def test_message_of_a_history_that_comes_again_undecrypted_is_lost(linked: Linked) -> None:
    """It was decrypted and never stored: a history has no text for us."""
    linked.store(history("3EB0A"))
    linked.store({"kind": "repeated", "id": "3EB0A", "chat": number_jid(ANA), "sender": ""})
    assert named(linked) == ["3EB0A"]


def test_nothing_is_compared_until_an_announced_history_is_read(linked: Linked) -> None:
    linked.store(history(announced=2))
    assert compare(linked, "OLD1", "3EB0LOST") is None
    linked.store(history("OLD1", announced=2), history(announced=1))
    assert compare(linked, "OLD1", "3EB0LOST") is None
    assert lost.position(linked.fence) == 0
    linked.store(history())
    assert compare(linked, "OLD1", "3EB0LOST") == lost.position(linked.fence) > 0
    assert named(linked) == ["3EB0LOST"]


def test_history_whose_ids_never_come_is_left_out_and_told(
    linked: Linked, caplog: pytest.LogCaptureFixture
) -> None:
    """The host process was killed between the library's secrets and our ids."""
    linked.store(history(announced=1, minutes=11))
    newest = next(ROWS) + 100
    assert compare(linked, "OLD1", newest=newest) == newest == lost.position(linked.fence)
    assert named(linked) == []
    assert "the ids of a history did not come" in caplog.text
    compare(linked, "3EB0LOST")
    assert named(linked) == ["3EB0LOST"]


def test_history_of_a_killed_client_is_awaited_although_the_next_one_has_read_its_own(
    linked: Linked,
) -> None:
    linked.store(history(announced=1))
    linked.store(history(announced=1, client="store-1-4567"), history(client="store-1-4567"))
    assert compare(linked, "OLD1") is None


def test_history_of_an_earlier_link_is_not_awaited(linked: Linked) -> None:
    linked.store(history(announced=1))
    linked.store(history(announced=1, client="store-2-89ab", minutes=11))
    linked.link("store-2", linked.number)
    assert compare(linked, "OLD1") is not None
    assert named(linked) == []  # It is given up.
    assert compare(linked, "3EB0LOST") is not None
    assert named(linked) == ["3EB0LOST"]


@pytest.mark.parametrize("pairing", [False, True])
def test_client_of_a_history_is_named_as_its_spool(
    tmp_path: Path, settings: Settings, pairing: bool
) -> None:
    settings.DATA_DIR = tmp_path
    client = spools.new_path(7, "attempt-1", pairing).stem
    outbox = Outbox(open_histories={client: 5})
    assert histories.of_store(outbox, "attempt-1") == {client: 5}
    assert histories.of_store(outbox, "attempt") == histories.of_store(outbox, "attempt-2") == {}


def test_outbox_of_the_previous_version_has_no_histories(linked: Linked) -> None:
    compare(linked)
    Outbox.objects.update(open_histories=None)
    compare(linked, "3EB0LOST")
    assert named(linked) == ["3EB0LOST"]


def test_other_organizations_histories_do_not_count(linked: Linked, other: Linked) -> None:
    other.store(history("3EB0A", announced=1))
    compare(linked, "3EB0A")
    assert named(linked) == ["3EB0A"]


def test_ids_are_stored_once_and_not_for_ever(linked: Linked) -> None:
    linked.store(history("OLD1", "OLD1", "x" * 200), history("OLD1"))
    assert HistoryId.objects.count() == 2
    HistoryId.objects.update(at=timezone.now() - maintenance.KEEP_HANDLED - timedelta(days=1))
    maintenance.forget()
    assert not HistoryId.objects.exists()
