"""The ids that edits, deletions and reactions are told with are taken back."""

from __future__ import annotations

from typing import Any

import pytest

from cloud_api.notifications import notification
from cloud_api.tests.support.graph import Graph, error
from connections import broadcast
from messaging.actions import erasure
from messaging.models import Contact, Message
from messaging.tests.support.linked import ALICE, ANA, Linked
from messaging.tests.support.records import change, message
from organizations.models import Organization

KINDS = ("edit", "delete", "reaction")


@pytest.fixture
def linked(organization: Organization) -> Linked:
    """Return an organization whose received message was edited, reacted to and deleted."""
    linked, received = Linked(organization), message(ANA)
    linked.store(received)
    for kind in KINDS:
        linked.store(change(kind, received["id"], of_us=False, number=ANA, body="Olá", emoji="👍"))
    return linked


def told_ids(linked: Linked) -> list[str]:
    """Return the ids of the changes, as their notifications tell them."""
    bodies = [notification(event) for event in linked.events()[-len(KINDS) :]]
    changes = [body["entry"][0]["changes"][0]["value"] for body in bodies if body is not None]
    return [found["messages"][0]["id"] for found in changes]


def read(message_id: str, **fields: Any) -> dict[str, Any]:
    named = {"status": "read", "message_id": message_id}
    return {"messaging_product": "whatsapp", **named, **fields}


def test_change_is_marked_as_read_and_its_person_sees_typing(
    graph: Graph, linked: Linked, monkeypatch: pytest.MonkeyPatch
) -> None:
    typing: list[Any] = []
    monkeypatch.setattr(broadcast, "notify_typing", lambda *told: typing.append(told))
    ids = told_ids(linked)
    assert len(ids) == len(KINDS)
    for told in ids:
        for named in (told, told.removeprefix("wamid.")):
            response = graph.send(read(named))
            assert (response.status_code, response.json()) == (200, {"success": True})
    assert typing == []
    graph.send(read(ids[0], typing_indicator={"type": "text"}))
    assert typing == [(linked.pk, Contact.objects.get().pk, True)]


def test_change_of_an_erased_person_is_marked_as_read(graph: Graph, linked: Linked) -> None:
    ids = told_ids(linked)
    erasure.erase_contact(linked.organization, Contact.objects.get().pk, ALICE)
    for told in ids:
        assert graph.send(read(told, typing_indicator={"type": "text"})).status_code == 200


def test_answer_to_a_change_answers_its_message(graph: Graph, linked: Linked) -> None:
    [received] = linked.messages()
    for told in told_ids(linked):
        sent = graph.send(to=ANA, context={"message_id": told})
        reaction = {"message_id": told, "emoji": "👍"}
        reacted = graph.send(to=ANA, type="reaction", reaction=reaction)
        assert (sent.status_code, reacted.status_code) == (200, 200)
    answer = Message.objects.filter(type="text", direction="out").last()
    reacting = Message.objects.filter(type="reaction").last()
    assert answer is not None and reacting is not None
    assert answer.content["context"]["messageId"] == received.public_id
    assert reacting.content["reaction"]["target"]["messageId"] == received.public_id


def test_other_ids_of_this_form_are_unknown(
    graph: Graph, linked: Linked, other_organization: Organization
) -> None:
    number = told_ids(linked)[0].rpartition(".")[2]
    of_a_message, unknown, long = (f"{linked.pk}.{last}" for last in (1, 99, "9" * 30))
    for named in (of_a_message, unknown, long, f"{other_organization.pk}.{number}", f"٣.{number}"):
        assert error(graph.send(read(f"wamid.{named}"))) == (400, 131009)
        assert error(graph.send(context={"message_id": f"wamid.{named}"})) == (400, 131009)
