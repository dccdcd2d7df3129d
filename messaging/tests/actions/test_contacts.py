"""A contact is a person's number and LID together, in whatever order they become known."""

from __future__ import annotations

from itertools import permutations

import pytest

from messaging.actions import contacts
from messaging.actions.contacts import Address
from messaging.models import Contact, Message
from messaging.tests.support.linked import ANA, BEA, Linked, reread
from messaging.tests.support.records import LID, OTHER_LID, Record, message, undecryptable

pytestmark = pytest.mark.django_db

State = Message.State


def by_lid() -> Record:
    return message(lid=LID)


def by_number() -> Record:
    return message(ANA)


def by_both() -> Record:
    return message(ANA, LID)


@pytest.mark.parametrize("order", list(permutations([by_lid, by_number, by_both])))
@pytest.mark.parametrize("batches", [1, 3])
def test_lid_number_and_both_are_one_contact_with_one_history(
    linked: Linked, order: tuple[object, ...], batches: int
) -> None:
    records = [make() for make in order]  # type: ignore[operator]
    records.append(by_lid())
    if batches == 1:
        linked.store(*records)
    else:
        for record in records:
            linked.store(record)
    contact = linked.contact()
    assert (contact.number, contact.lid) == (ANA, LID)
    stored = linked.messages()
    assert [found.whatsapp_id for found in stored] == [record["id"] for record in records]
    assert {found.contact_id for found in stored} == {contact.pk}
    assert len(linked.events()) == 4


def test_joined_contact_keeps_what_was_known_of_both(linked: Linked) -> None:
    sent = linked.send(ANA)
    linked.store(message(lid=LID, push_name="Ana"))
    linked.store(message(ANA, LID, push_name=""))
    contact = linked.contact()
    assert contact.name == "Ana"
    assert contact.first_written_at is not None and contact.last_sent_at is not None
    assert reread(sent).contact == contact


def test_messages_that_wait_move_with_the_contact(linked: Linked) -> None:
    queued = linked.enqueue(ANA)
    linked.store(message(lid=LID))
    linked.store(message(ANA, LID))
    taken = linked.take_outgoing()
    assert taken.message_id == queued.pk
    assert taken.content["to"] == {"user": LID, "server": "lid"}


@pytest.mark.parametrize("readable_first", [True, False])
def test_doubled_message_of_two_joined_contacts_keeps_its_text(
    linked: Linked, readable_first: bool
) -> None:
    for contact, state in zip(
        (Contact(number=ANA), Contact(lid=LID)),
        (State.RECEIVED, State.LOST) if readable_first else (State.UNREADABLE, State.RECEIVED),
        strict=True,
    ):
        contact.organization = linked.organization
        contact.save()
        Message.objects.create(
            organization=linked.organization,
            contact=contact,
            **{"direction": "in", "type": "text", "content": {}},
            **{"state": state, "whatsapp_id": "3EB0A"},
        )
    linked.store(message(ANA, LID))
    states = [found.state for found in linked.messages() if found.whatsapp_id == "3EB0A"]
    assert states == [State.RECEIVED]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("5511987654321", "551187654321"),
        ("525512345678", "5215512345678"),
        ("541123456789", "5491123456789"),
    ],
)
def test_spellings_of_one_number_are_one_contact(linked: Linked, one: str, other: str) -> None:
    linked.store(message(one), message(other))
    assert linked.contact().number == other
    linked.store(message(one, LID))
    contact = linked.contact()
    assert (contact.number, contact.lid) == (one, LID)


def test_person_who_changes_the_number_stays_the_contact(linked: Linked) -> None:
    linked.store(message(ANA, LID))
    linked.store(message(BEA, LID))
    contact = linked.contact()
    assert (contact.number, contact.lid) == (BEA, LID)


def test_number_that_changes_hands_is_not_the_first_persons_any_more(linked: Linked) -> None:
    linked.store(message(ANA, LID), message(BEA, OTHER_LID))
    linked.store(message(ANA, OTHER_LID))
    assert dict(Contact.objects.values_list("lid", "number")) == {LID: "", OTHER_LID: ANA}
    linked.enqueue(ANA)
    assert linked.take_outgoing().content["to"] == {"user": OTHER_LID, "server": "lid"}


def test_new_account_of_a_number_is_the_same_contact(linked: Linked) -> None:
    linked.store(message(ANA, LID))
    linked.store(message(ANA, OTHER_LID))
    contact = linked.contact()
    assert (contact.number, contact.lid) == (ANA, OTHER_LID)


def test_contact_belongs_to_its_organization(linked: Linked, other: Linked) -> None:
    linked.store(message(ANA, LID))
    other.store(message(lid=LID))
    assert (linked.contact().number, other.contact().number) == (ANA, "")


def test_reading_changes_no_contact(linked: Linked) -> None:
    linked.store(message(ANA), message(lid=LID))
    found = contacts.find(linked.pk, Address(ANA, LID))
    assert found is not None and found.lid == LID
    assert Contact.objects.count() == 2
    assert contacts.find(linked.pk, Address("4900000000")) is None
    assert contacts.find(linked.pk, Address()) is None


def test_unreadable_message_makes_its_sender_known(linked: Linked) -> None:
    linked.store(undecryptable(ANA, LID))
    assert linked.contact().last_received_at is not None


@pytest.mark.parametrize(
    ("jids", "address"),
    [
        (("5511@s.whatsapp.net", "12@lid"), Address("5511", "12")),
        (("12:7@lid", "5511:3@s.whatsapp.net"), Address("5511", "12")),
        (("12@g.us", "", "status@broadcast"), Address()),
        (("@s.whatsapp.net", "x@lid"), Address()),
    ],
)
def test_address_is_read_from_jids(jids: tuple[str, ...], address: Address) -> None:
    assert Address.of(*jids) == address
