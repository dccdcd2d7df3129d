"""What a person writes is stored once, and the log tells it once."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from messaging.actions import incoming, lost
from messaging.models import HandledId, Message, MessagingSettings, Outbox
from messaging.tests.support.linked import ANA, BEA, Linked, age, reread
from messaging.tests.support.records import (
    LID,
    OWN_NUMBER,
    Record,
    change,
    group_message,
    message,
    number_jid,
    receipt,
    undecryptable,
)

State = Message.State

pytestmark = pytest.mark.django_db


def test_message_is_stored_and_told(linked: Linked) -> None:
    record = message(ANA, LID, "Oi", timestamp=1_700_000_000_000)
    linked.store(record)
    [stored] = linked.messages()
    assert (stored.state, stored.direction, stored.number) == (State.RECEIVED, "in", OWN_NUMBER)
    assert stored.happened_at == datetime.fromtimestamp(1_700_000_000, UTC)
    [event] = linked.events()
    assert (event.type, event.subject) == ("message.received", stored.public_id)
    assert event.data == {
        **{"id": stored.public_id, "whatsappId": record["id"]},
        "from": {"phone": f"+{ANA}", "lid": LID, "waId": ANA, "name": "Ana"},
        **{"type": "text", "text": {"body": "Oi", "preview_url": False}, "context": None},
        **{"group": None, "at": "2023-11-14T22:13:20+00:00"},
    }


def test_spool_that_is_read_again_changes_nothing(linked: Linked) -> None:
    sent = linked.send()
    records = [
        message(ANA, LID),
        message(BEA, from_me=True),
        group_message(BEA),
        undecryptable(BEA),
        receipt(sent.whatsapp_id),
        message(ANA, type="protocol"),
    ]
    linked.store(*records)
    stored, told = Message.objects.count(), len(linked.events())
    linked.store(*records)
    linked.store(*records, *records)
    assert (Message.objects.count(), len(linked.events())) == (stored, told)


def test_message_that_is_twice_in_one_batch_is_stored_once(linked: Linked) -> None:
    record = message(ANA)
    linked.store(record, record)
    assert len(linked.messages()) == len(linked.events()) == 1


def test_one_id_in_two_chats_is_two_messages(linked: Linked) -> None:
    linked.store(message(ANA, id="3EB0A"), message(BEA, id="3EB0A"))
    linked.store(message(ANA, id="3EB0A"), message(BEA, id="3EB0A"))
    assert len(linked.messages()) == len(linked.events()) == 2


def test_message_belongs_to_its_organization(linked: Linked, other: Linked) -> None:
    record = message(ANA)
    linked.store(record)
    other.store(record)
    assert len(linked.messages()) == len(other.messages()) == 1


def test_message_written_on_the_phone_is_told_as_sent_elsewhere(linked: Linked) -> None:
    linked.store(message(ANA, LID, "Bom dia", from_me=True, push_name="Dona"))
    [stored] = linked.messages()
    assert (stored.state, stored.direction) == (State.SENT, "elsewhere")
    [event] = linked.events()
    assert event.type == "message.sent_elsewhere"
    # The push name is the writer's, our own.
    assert event.data["to"] == {"phone": f"+{ANA}", "lid": LID, "waId": ANA, "name": None}
    assert "from" not in event.data
    assert linked.contact().last_received_at is None


def test_own_message_that_comes_back_is_not_stored_again(linked: Linked) -> None:
    sent = linked.send(ANA)
    linked.store(message(ANA, from_me=True, id=sent.whatsapp_id))
    assert len(linked.messages()) == 1


def test_message_with_the_id_of_one_of_ours_is_another_message(linked: Linked) -> None:
    linked.enqueue(ANA)
    taken = linked.take()
    assert taken is not None
    # The person has it before WhatsApp's answer is stored, and so knows the id.
    linked.store(message(ANA, id="3EB0A"))
    sent = linked.record(taken, whatsapp_id="3EB0A")
    linked.store(message(ANA, id="3EB0A"), receipt("3EB0A"))
    assert {found.state for found in linked.messages()} == {State.RECEIVED, State.DELIVERED}
    assert reread(sent).state == State.DELIVERED


def test_answer_names_what_it_answers(linked: Linked) -> None:
    context = {"id": "3EB0A", "sender": number_jid(OWN_NUMBER), "text": "Olá"}
    linked.store(message(ANA, context=context))
    assert linked.events()[0].data["context"] == {"whatsappId": "3EB0A"}


# --- Not readable ---------------------------------------------------------------------------------


def test_undecryptable_message_is_told_once_it_is_readable(linked: Linked) -> None:
    record = undecryptable(ANA)
    linked.store(record)
    assert linked.messages()[0].state == State.UNREADABLE
    assert linked.events() == []
    linked.store(message(ANA, id=record["id"], retry=1))
    [stored] = linked.messages()
    assert (stored.state, stored.content["text"]["body"]) == (State.RECEIVED, "Oi")
    assert [event.type for event in linked.events()] == ["message.received"]


def test_undecryptable_and_readable_in_one_batch_are_one_message(linked: Linked) -> None:
    record = undecryptable(ANA)
    linked.store(record, message(ANA, id=record["id"], retry=1))
    assert [stored.state for stored in linked.messages()] == [State.RECEIVED]


def test_readable_copy_under_the_persons_other_address_fills_the_row(linked: Linked) -> None:
    record = undecryptable(lid=LID)
    linked.store(record)
    linked.store(message(ANA, id=record["id"], retry=1))
    [stored] = linked.messages()
    assert (stored.state, stored.contact.number) == (State.RECEIVED, ANA)


def test_undecryptable_copy_of_a_readable_message_is_ignored(linked: Linked) -> None:
    record = message(ANA)
    linked.store(record)
    linked.store(undecryptable(ANA, id=record["id"]))
    assert linked.messages()[0].state == State.RECEIVED


def test_message_that_stays_unreadable_is_told_as_lost(linked: Linked) -> None:
    record = undecryptable(ANA)
    linked.store(record)
    until = linked.messages()[0].created_at + lost.READABLE_WITHIN
    assert lost.give_up_unreadable() == until
    assert linked.events() == []
    age(linked.messages()[0], minutes=11)
    lost.give_up_unreadable()
    lost.give_up_unreadable()
    [event] = linked.events()
    assert event.type == "message.lost"
    assert (event.data["whatsappId"], event.data["reason"]) == (record["id"], "unreadable")
    linked.store(message(ANA, id=record["id"], retry=2))
    assert linked.messages()[0].state == State.RECEIVED
    assert [found.type for found in linked.events()] == ["message.lost", "message.received"]


def not_a_message(kind: str, whatsapp_id: str) -> Record:
    if kind == "protocol":
        return message(ANA, id=whatsapp_id, type=kind, protocol={"name": "ephemeral_setting"})
    about = {"emoji": "👍", "body": "x"}
    return change(kind, "3EB0FF", of_us=False, number=ANA, id=whatsapp_id, **about)


@pytest.mark.parametrize("together", [True, False], ids=["one batch", "two"])
@pytest.mark.parametrize("kind", ["reaction", "edit", "delete", "protocol"])
def test_what_turns_out_to_be_no_message_is_not_told_as_lost(
    linked: Linked, kind: str, together: bool
) -> None:
    records = (undecryptable(ANA, id="3EB0A"), not_a_message(kind, "3EB0A"))
    for batch in [records] if together else [(record,) for record in records]:
        linked.store(*batch)
    assert linked.messages() == []
    told = len(linked.events())
    assert told == (0 if kind == "protocol" else 1)
    assert lost.give_up_unreadable() is None
    linked.store(*records)
    assert (linked.messages(), len(linked.events())) == ([], told)


def test_lost_message_that_turns_out_to_be_a_reaction_is_withdrawn(linked: Linked) -> None:
    linked.store(undecryptable(ANA, id="3EB0A"), undecryptable(BEA, id="3EB0B"))
    for stored in linked.messages():
        age(stored, minutes=11)
    lost.give_up_unreadable()
    linked.store(not_a_message("reaction", "3EB0A"))
    assert [stored.whatsapp_id for stored in linked.messages()] == ["3EB0B"]
    assert [event.type for event in linked.events()] == ["message.lost", "reaction.added"]


def test_edit_of_what_turns_out_to_be_no_message_holds_up_nothing(linked: Linked) -> None:
    linked.store(undecryptable(ANA, id="3EB0A"))
    edit = change("edit", "3EB0A", of_us=False, number=ANA, body="x")
    linked.store(edit, not_a_message("delete", "3EB0A"), message(ANA))
    assert [stored.state for stored in linked.messages()] == [State.RECEIVED]


def test_reaction_with_the_id_of_a_message_takes_nothing_back(linked: Linked) -> None:
    linked.store(undecryptable(ANA, id="3EB0A", from_me=True), message(BEA, id="3EB0B"))
    linked.store(not_a_message("reaction", "3EB0A"), not_a_message("reaction", "3EB0B"))
    assert [stored.whatsapp_id for stored in linked.messages()] == ["3EB0A", "3EB0B"]


@pytest.mark.parametrize("about", [{"hidden": True}, {"category": "peer"}])
def test_nobody_misses_what_only_apps_were_to_read(linked: Linked, about: Record) -> None:
    linked.store(undecryptable(ANA, id="3EB0A", **about))
    assert linked.messages() == []
    linked.store(not_a_message("reaction", "3EB0A"))
    assert [event.type for event in linked.events()] == ["reaction.added"]


# --- Broadcast lists ------------------------------------------------------------------------------


def test_key_of_a_broadcast_list_does_not_hide_what_follows_under_its_id(linked: Linked) -> None:
    key = message(ANA, id="3EB0A", type="protocol", protocol={"name": "sender_key"})
    linked.store(key)
    linked.store(message(ANA, id="3EB0A"))
    assert [stored.group for stored in linked.messages()] == [""]
    assert [event.type for event in linked.events()] == ["message.received"]


# --- Groups ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("chat", ["1203630@g.us", "status@broadcast", "1203@newsletter"])
def test_groups_status_and_channels_are_dropped_knowingly(linked: Linked, chat: str) -> None:
    record = group_message(ANA, chat)
    linked.store(record, undecryptable(ANA, id="3EB0A", group=True))
    assert (linked.messages(), linked.events()) == ([], [])
    assert set(HandledId.objects.values_list("whatsapp_id", flat=True)) == {record["id"], "3EB0A"}


def test_setting_lets_groups_in(linked: Linked) -> None:
    MessagingSettings.objects.create(organization=linked.organization, groups=True)
    linked.store(group_message(ANA, "1203630@g.us"))
    [stored] = linked.messages()
    assert (stored.group, stored.contact.number) == ("1203630@g.us", ANA)
    assert linked.events()[0].data["group"] == "1203630@g.us"


@pytest.mark.parametrize("key", ["sender_key", "none"])
@pytest.mark.parametrize("together", [True, False], ids=["one batch", "two"])
def test_key_of_a_groups_member_does_not_hide_what_follows_under_its_id(
    linked: Linked, key: str, together: bool
) -> None:
    MessagingSettings.objects.create(organization=linked.organization, groups=True)
    records = (
        group_message(ANA, id="3EB0A", type="protocol", protocol={"name": key}),
        group_message(ANA, id="3EB0A"),
    )
    for batch in [records] if together else [(record,) for record in records]:
        linked.store(*batch)
    linked.store(*records)
    assert [stored.content["text"]["body"] for stored in linked.messages()] == ["Oi"]
    assert len(linked.events()) == 1


@pytest.mark.parametrize("chat", ["status@broadcast", "1203@newsletter"])
def test_setting_for_groups_lets_no_status_or_channel_in(linked: Linked, chat: str) -> None:
    MessagingSettings.objects.create(organization=linked.organization, groups=True)
    linked.store(group_message(ANA, chat))
    assert linked.messages() == []


def test_message_of_nobody_is_dropped(linked: Linked) -> None:
    record = message(ANA, chat="867051314767696@bot", chat_alt="")
    linked.store(record)
    assert (linked.messages(), linked.events()) == ([], [])
    assert HandledId.objects.get().whatsapp_id == record["id"]


def test_organization_that_was_deleted_gets_nothing(linked: Linked) -> None:
    linked.organization.delete()
    incoming.store([(linked.pk, [message(ANA), receipt("3EB0A")])])
    assert not Message.objects.exists() and not Outbox.objects.exists()


def test_empty_batch_changes_nothing(linked: Linked) -> None:
    linked.store()
    assert linked.events() == []
