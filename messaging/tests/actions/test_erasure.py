"""An owner erases one person, or everybody: nothing that names them or was said is left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from events import log
from messaging import limits, media_files
from messaging.actions import contacts, erasure, outcomes, outgoing
from messaging.actions import media as media_actions
from messaging.actions.contacts import Address
from messaging.models import Contact, HandledId, IdempotencyKey, Media, Message, MessagingSettings
from messaging.refusals import KeyReused, NotResendable
from messaging.tests.support.linked import ALICE, ANA, BEA, Linked, reread
from messaging.tests.support.records import (
    LID,
    change,
    group_message,
    message,
    receipt,
    undecryptable,
)
from messaging.tests.support.rows import lose_key
from organizations.models import AuditEntry

pytestmark = pytest.mark.django_db

State = Message.State
SECRET = "Meu endereço é Rua das Flores 7"


def erase(linked: Linked, number: str = ANA) -> int:
    contact = contacts.find(linked.pk, Address(number))
    assert contact is not None
    return erasure.erase_contact(linked.organization, contact.pk, ALICE)


def told(linked: Linked) -> str:
    """Return all that the log tells, and what rows say of messages and contacts."""
    rows = [
        *(str(event.data) for event in linked.events()),
        *(str((row.content, row.group, row.callback_data)) for row in linked.messages()),
        *(str((row.number, row.lid, row.name)) for row in Contact.objects.all()),
    ]
    return "\n".join(rows)


def store_file(linked: Linked, name: str = "") -> Media:
    return media_actions.upload(linked.pk, [b"a text"], "text/plain", name or "a.txt", ALICE)


def document(media: Media, to: str = ANA) -> dict[str, object]:
    return {"to": to, "body": {}, "type": "document", "media": media.public_id}


def test_texts_numbers_names_and_events_of_a_person_are_gone(linked: Linked) -> None:
    first = message(ANA, LID, SECRET, push_name="Ana Souza")
    linked.store(first, message(BEA, body="Oi", push_name="Bea"))
    answer = linked.send(ANA, SECRET)
    Message.objects.filter(pk=answer.pk).update(callback_data=SECRET)
    linked.store(receipt(answer.whatsapp_id))
    linked.store(change("edit", first["id"], of_us=False, number=ANA, body=f"{SECRET}!"))
    linked.store(change("reaction", answer.whatsapp_id, of_us=True, number=ANA, emoji="👍"))
    count = len(linked.events())
    assert erase(linked) == 2
    for word in ("Flores", ANA, LID, "Ana Souza", "👍"):
        assert word not in told(linked)
    assert BEA in told(linked) and "Bea" in told(linked)
    assert len(linked.events()) == count, "sequences go on as they were"


def test_rows_stay_with_states_and_times(linked: Linked) -> None:
    sent = linked.send(ANA, SECRET)
    linked.store(receipt(sent.whatsapp_id), message(ANA, body=SECRET))
    before = [(row.pk, row.state, row.created_at, row.delivered_at) for row in linked.messages()]
    erase(linked)
    after = [(row.pk, row.state, row.created_at, row.delivered_at) for row in linked.messages()]
    assert after == before
    assert all(row.erased_at is not None for row in linked.messages())


def test_waiting_and_held_messages_are_cancelled_with_an_event(linked: Linked) -> None:
    waiting, held = linked.enqueue(ANA, SECRET), linked.enqueue(ANA, SECRET)
    Message.objects.filter(pk=held.pk).update(state=State.HELD)
    other = linked.enqueue(BEA)
    erase(linked)
    assert linked.states(waiting) == linked.states(held) == [("cancelled", "erased")]
    assert reread(other).state == State.QUEUED
    assert linked.take() == other


def test_files_of_the_person_are_deleted_and_shared_ones_stay(
    linked: Linked, django_capture_on_commit_callbacks: object
) -> None:
    own, shared = store_file(linked), store_file(linked)
    for body in (document(own), document(shared), document(shared, to=BEA)):
        linked.enqueue(**body)  # type: ignore[arg-type]
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        erase(linked)
    assert list(Media.objects.all()) == [shared]
    assert not media_files.storage().exists(own.stored_as)
    assert media_files.storage().exists(shared.stored_as)


def test_file_that_is_being_fetched_is_not_kept(linked: Linked, tmp_path: Path) -> None:
    linked.store(message(ANA, type="image", image={"size": 3}, media="c291cmNl"))
    [fetch], _ = media_actions.to_fetch([linked.pk])
    erase(linked)
    fetched = tmp_path / "fetched"
    fetched.write_bytes(b"abc")
    assert not media_actions.record_fetched(fetch, media_actions.save_fetched(fetched))
    assert not Media.objects.exists()
    assert linked.events("media.ready") == []


def test_message_under_way_is_not_sent_again(linked: Linked, sending: Message) -> None:
    erase(linked)
    assert linked.record(sending, error="not_connected").state == State.CANCELLED
    assert linked.states(sending)[-1] == ("cancelled", "erased")


def test_message_under_way_that_leaves_is_sent(linked: Linked, sending: Message) -> None:
    erase(linked)
    sent = linked.record(sending)
    linked.store(receipt(sent.whatsapp_id))
    assert reread(sent).state == State.DELIVERED
    assert ANA not in told(linked)


def test_number_that_is_being_resolved_is_not_stored_again(linked: Linked) -> None:
    waiting = linked.enqueue()
    taken = linked.take_outgoing()
    erase(linked)
    found = {"phone": ANA, "lid": LID}
    assert outcomes.record_resolved(taken, found, "") is None
    assert reread(waiting).state == State.CANCELLED
    assert ANA not in told(linked) and LID not in told(linked)


def test_erased_message_cannot_be_sent_again(linked: Linked) -> None:
    failed = linked.enqueue()
    linked.take()
    linked.record(failed, error="refused", code=479)
    erase(linked)
    with pytest.raises(NotResendable):
        outgoing.resend(linked.pk, failed.pk, ALICE)


def test_message_that_arrives_once_more_is_not_stored_anew(linked: Linked) -> None:
    first, unread = message(ANA, body=SECRET), undecryptable(ANA)
    linked.store(first, unread)
    erase(linked)
    linked.store(first, {**message(ANA, body=SECRET), "id": unread["id"]})
    assert len(linked.messages()) == 2
    assert "Flores" not in told(linked) and ANA not in told(linked)
    assert HandledId.objects.filter(organization=linked.pk).count() == 2


def test_person_who_writes_later_is_stored_again(linked: Linked) -> None:
    linked.store(message(ANA, body=SECRET))
    erase(linked)
    linked.store(message(ANA, body="Oi de novo"))
    assert [row.content["text"] for row in linked.messages()][1]["body"] == "Oi de novo"


def test_request_that_is_repeated_after_the_erasure_sends_nothing(linked: Linked) -> None:
    linked.enqueue(ANA, SECRET, key="1")
    erase(linked)
    with pytest.raises(KeyReused):
        linked.enqueue(ANA, SECRET, key="1")
    assert IdempotencyKey.objects.get().body_hash == ""


def test_reaction_to_a_message_of_another_person_is_redacted(linked: Linked) -> None:
    MessagingSettings.objects.create(organization=linked.organization, groups=True)
    said = group_message(BEA)
    linked.store(said, group_message(ANA, body="oi"))
    reaction = change("reaction", said["id"], of_us=False, number=ANA, emoji="👍")
    linked.store({**group_message(ANA), **{k: reaction[k] for k in ("type", "reaction", "id")}})
    assert "👍" in told(linked)
    erase(linked)
    assert "👍" not in told(linked) and ANA not in told(linked) and BEA in told(linked)


def react(linked: Linked) -> None:
    """Let Ana react to a message that is not known here."""
    linked.store(change("reaction", "3EB0FF", of_us=False, number=ANA, emoji="👍"))


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_erasure_that_failed_is_requested_again(
    linked: Linked, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    linked.store(message(ANA, body=SECRET))
    react(linked)
    redact, calls = log.redact, 0

    def fail(*arguments: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == failing:
            raise OSError
        redact(*arguments)

    monkeypatch.setattr(log, "redact", fail)
    with pytest.raises(OSError):
        erase(linked)
    erase(linked)
    assert ANA not in told(linked) and "Flores" not in told(linked)


def test_what_the_log_gets_during_an_erasure_is_redacted(
    linked: Linked, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked.store(message(ANA, body=SECRET))
    redact, events = log.redact, iter([react])

    def redact_and_append(*arguments: Any) -> None:
        redact(*arguments)
        for append in events:
            append(linked)
            assert ANA in told(linked)

    monkeypatch.setattr(log, "redact", redact_and_append)
    erase(linked)
    assert ANA not in told(linked)


def test_many_messages_are_erased_in_several_transactions(
    linked: Linked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "AT_ONCE", 2)
    linked.store(*(message(ANA, body=SECRET) for _ in range(5)))
    assert erase(linked) == 5
    assert "Flores" not in told(linked) and ANA not in told(linked)
    assert len({row.contact_id for row in linked.messages()}) == 1


def test_erasure_is_audited_without_the_number(linked: Linked) -> None:
    linked.store(message(ANA))
    erase(linked)
    entry = AuditEntry.objects.get(action=AuditEntry.Action.CONTACT_ERASED)
    assert (entry.organization, entry.actor, entry.detail) == (linked.organization, "alice", "1")
    with pytest.raises(Contact.DoesNotExist):
        erasure.erase_contact(linked.organization, linked.messages()[0].contact_id, ALICE)


@pytest.mark.parametrize("everybody", [False, True])
def test_who_has_a_name_whose_key_is_gone_is_erased(linked: Linked, everybody: bool) -> None:
    MessagingSettings.objects.create(organization=linked.organization)
    linked.store(message(ANA, type="image", image={"size": 3}, media="aGk=", push_name="Ana"))
    lose_key(linked.pk, "Contact", "Media", "Message")
    if everybody:
        erasure.erase_all(linked.organization, ALICE)
    else:
        erase(linked)
    assert not Media.objects.exists()
    assert ANA not in told(linked)


def test_contact_of_another_organization_is_not_found(linked: Linked, other: Linked) -> None:
    other.store(message(ANA))
    with pytest.raises(Contact.DoesNotExist):
        erasure.erase_contact(linked.organization, other.contact().pk, ALICE)
    assert other.contact().number == ANA


def test_everybody_is_erased_and_the_link_stays(
    linked: Linked, other: Linked, django_capture_on_commit_callbacks: object
) -> None:
    unused = store_file(linked)
    linked.send(ANA, SECRET)
    linked.store(
        message(BEA, body=SECRET, push_name="Bea"),
        change("edit", "3EB0FF", of_us=False, number=ANA, body=SECRET),
    )
    waiting = linked.enqueue(BEA, SECRET)
    other.store(message(ANA, body="Oi"))
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        assert erasure.erase_all(linked.organization, ALICE) == 3
    assert linked.states(waiting) == [("cancelled", "erased")]
    mine = "\n".join(str(event.data) for event in linked.events())
    assert not any(word in mine for word in ("Flores", ANA, BEA, "Bea"))
    assert not any(row.content["text"] for row in linked.messages())
    assert not Contact.objects.filter(organization=linked.pk).exclude(number="").exists()
    assert not Media.objects.exists() and not media_files.storage().exists(unused.stored_as)
    assert other.contact().number == ANA and "Oi" in told(other)
    assert linked.send(ANA).state == State.SENT


def test_erasure_does_not_end_the_limit_of_new_recipients(linked: Linked) -> None:
    linked.send(ANA)
    assert limits.new_recipients(linked.pk) == 1
    erase(linked)
    assert limits.new_recipients(linked.pk) == 1
