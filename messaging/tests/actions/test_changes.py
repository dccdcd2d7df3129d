"""Reactions, edits and deletions are told once, about the message that they name."""

from __future__ import annotations

import pytest
from django.utils import timezone

from messaging.actions import retention
from messaging.models import Message, MessagingSettings
from messaging.tests.support.linked import ANA, BEA, Linked, reread
from messaging.tests.support.records import change, group_message, message, receipt

pytestmark = pytest.mark.django_db


def only(linked: Linked) -> dict[str, object]:
    """Return the data of the newest event, which is not about a status or a new message."""
    kinds = ("reaction.added", "reaction.removed", "message.edited", "message.deleted")
    [event] = linked.events(*kinds)
    return {"type": event.type, "subject": event.subject, **event.data}


@pytest.mark.parametrize(
    ("emoji", "kind"), [("👍", "reaction.added"), ("", "reaction.removed")], ids=["add", "remove"]
)
def test_reaction_is_told_with_its_target(linked: Linked, emoji: str, kind: str) -> None:
    sent = linked.send(ANA)
    linked.store(change("reaction", sent.whatsapp_id, of_us=True, number=ANA, emoji=emoji))
    assert only(linked) == {
        **{"type": kind, "subject": sent.public_id, "emoji": emoji or None},
        **{"id": sent.public_id, "whatsappId": sent.whatsapp_id, "fromMe": False},
        "from": {"phone": f"+{ANA}", "lid": None, "waId": ANA, "name": "Ana"},
    }


@pytest.mark.parametrize("kind", ["reaction", "edit", "delete"])
def test_change_is_told_once_however_often_it_arrives(linked: Linked, kind: str) -> None:
    received = message(ANA)
    linked.store(received)
    record = change(kind, received["id"], of_us=False, number=ANA, emoji="👍", body="x")
    linked.store(record, record)
    linked.store(record)
    assert len(linked.events()) == 2
    assert len(linked.messages()) == 1


def test_edit_replaces_the_text(linked: Linked) -> None:
    received = message(ANA, body="Oi")
    linked.store(received)
    linked.store(change("edit", received["id"], of_us=False, number=ANA, body="Olá"))
    [stored] = linked.messages()
    assert stored.content["text"] == {"body": "Olá"}
    assert only(linked)["text"] == {"body": "Olá"}


def test_edit_in_the_same_batch_replaces_the_text(linked: Linked) -> None:
    received = message(ANA, body="Oi")
    edit = change("edit", received["id"], of_us=False, number=ANA, body="Olá")
    linked.store(received, edit)
    assert linked.messages()[0].content["text"] == {"body": "Olá"}
    assert only(linked)["id"] == linked.messages()[0].public_id


def test_edit_of_a_picture_replaces_its_caption(linked: Linked) -> None:
    received = message(ANA, type="image", image={"caption": "Bolo", "size": 5}, media="aGk=")
    linked.store(received)
    linked.store(change("edit", received["id"], of_us=False, number=ANA, body="Torta"))
    assert linked.messages()[0].content["image"] == {"caption": "Torta", "size": 5}


def test_own_edit_on_the_phone_replaces_our_text(linked: Linked) -> None:
    sent = linked.send(ANA)
    linked.store(
        change("edit", sent.whatsapp_id, of_us=True, number=ANA, from_me=True, body="Olá!")
    )
    assert reread(sent).content["text"] == {"body": "Olá!"}
    assert only(linked)["fromMe"] is True


@pytest.mark.parametrize("kind", ["edit", "delete"])
def test_person_cannot_change_our_message(linked: Linked, kind: str) -> None:
    sent = linked.send(ANA)
    told = len(linked.events())
    linked.store(change(kind, sent.whatsapp_id, of_us=True, number=ANA, body="I owe you"))
    assert reread(sent).content == sent.content
    assert len(linked.events()) == told


@pytest.mark.parametrize("kind", ["edit", "delete"])
def test_phones_owner_cannot_change_the_persons_message(linked: Linked, kind: str) -> None:
    received = message(ANA)
    linked.store(received)
    linked.store(
        change(kind, received["id"], of_us=False, number=ANA, from_me=True, body="I owe you")
    )
    assert linked.messages()[0].content["text"]["body"] == "Oi"
    assert len(linked.events()) == 1


@pytest.mark.parametrize("kind", ["reaction", "edit", "delete"])
def test_other_person_cannot_change_a_message(linked: Linked, kind: str) -> None:
    received = message(ANA)
    linked.store(received)
    linked.store(change(kind, received["id"], of_us=False, number=BEA, body="I owe you", emoji="x"))
    assert linked.messages()[0].content["text"]["body"] == "Oi"
    data = only(linked)
    assert (data["id"], data["subject"]) == (None, "")


@pytest.mark.parametrize("kind", ["reaction", "edit", "delete"])
def test_change_of_an_unknown_message_names_it_by_whatsapps_id(linked: Linked, kind: str) -> None:
    linked.store(change(kind, "3EB0A", of_us=False, number=ANA, emoji="👍", body="x"))
    data = only(linked)
    assert (data["id"], data["whatsappId"], data["subject"]) == (None, "3EB0A", "")


def test_reaction_in_a_group_names_another_members_message(linked: Linked) -> None:
    MessagingSettings.objects.create(organization=linked.organization, groups=True)
    received = group_message(ANA)
    linked.store(received)
    about = {"target": {"id": received["id"], "from_me": False, "sender": ""}, "emoji": "👍"}
    linked.store(group_message(BEA, type="reaction", reaction=about))
    assert only(linked)["id"] == linked.messages()[0].public_id


def test_member_of_a_group_cannot_edit_another_members_message(linked: Linked) -> None:
    MessagingSettings.objects.create(organization=linked.organization, groups=True)
    received = group_message(ANA)
    linked.store(received)
    about = {"target": {"id": received["id"], "from_me": False, "sender": ""}, "body": "x"}
    linked.store(group_message(BEA, type="edit", edit=about))
    assert linked.messages()[0].content["text"]["body"] == "Oi"


def test_edit_without_a_text_or_target_holds_up_nothing(linked: Linked) -> None:
    linked.store(message(ANA, type="edit", edit={}), message(BEA, type="reaction", reaction=None))
    linked.store(message(ANA))
    assert Message.objects.count() == 1


def test_own_edit_replaces_the_text_once_it_was_sent(linked: Linked) -> None:
    sent = linked.send(ANA, "Oi")
    edit = linked.enqueue(ANA, {"messageId": sent.public_id, "body": "Olá"}, type="edit")
    linked.take()
    assert reread(sent).content["text"]["body"] == "Oi"
    linked.record(edit)
    assert reread(sent).content["text"] == {"body": "Olá"}
    told = only(linked)
    assert (told["id"], told["fromMe"], told["text"]) == (sent.public_id, True, {"body": "Olá"})


def test_own_edit_that_was_refused_changes_nothing(linked: Linked) -> None:
    sent = linked.send(ANA, "Oi")
    edit = linked.enqueue(ANA, {"messageId": sent.public_id, "body": "Olá"}, type="edit")
    linked.take()
    linked.record(edit, error="refused", code=400)
    assert reread(sent).content["text"]["body"] == "Oi"
    assert linked.events("message.edited") == []


def test_own_edit_of_an_erased_text_does_not_bring_it_back(linked: Linked) -> None:
    sent = linked.send(ANA, "Oi")
    edit = linked.enqueue(ANA, {"messageId": sent.public_id, "body": "Olá"}, type="edit")
    linked.take()
    Message.objects.filter(pk=sent.pk).update(erased_at=timezone.now(), content={"text": {}})
    linked.record(edit)
    assert reread(sent).content == {"text": {}}


def test_edit_on_the_phone_of_an_erased_text_does_not_bring_it_back(linked: Linked) -> None:
    sent = linked.send(ANA, "Oi")
    linked.store(receipt(sent.whatsapp_id))
    retention.erase_delivered(linked.pk)
    linked.store(
        change("edit", sent.whatsapp_id, of_us=True, number=ANA, from_me=True, body="Olá!")
    )
    assert reread(sent).content == {"text": {}, "context": None}
    assert linked.events("message.edited") == []


@pytest.mark.parametrize("elsewhere", [True, False], ids=["phone", "service"])
def test_text_of_an_edit_is_erased_from_the_log_with_its_message(
    linked: Linked, elsewhere: bool
) -> None:
    sent, kept = linked.send(ANA, "Oi"), linked.send(ANA, "Oi")
    for each in (sent, kept):
        if elsewhere:
            about = {"of_us": True, "from_me": True}
            linked.store(change("edit", each.whatsapp_id, number=ANA, body="Olá!", **about))
        else:
            linked.enqueue(ANA, {"messageId": each.public_id, "body": "Olá!"}, type="edit")
            linked.send_next()
    linked.store(receipt(sent.whatsapp_id))
    retention.erase_delivered(linked.pk)
    told, other = (event.data for event in linked.events("message.edited"))
    assert "text" not in told
    assert (told["id"], told["from"], told["fromMe"]) == (sent.public_id, other["from"], True)
    assert other["text"] == {"body": "Olá!"}, "it was not delivered"
