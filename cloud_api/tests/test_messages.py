"""`messages`: every type in Meta's shape becomes what the REST API would have stored."""

from __future__ import annotations

from typing import Any

import pytest

from cloud_api.notifications import notification
from cloud_api.tests.support.graph import NUMBER, READ, SEND, Graph, details, error, message
from connections.models import Worker
from messaging.models import Media, Message, MessagingSettings
from messaging.tests.support.api import contact
from messaging.tests.support.api import message as stored
from messaging.tests.support.linked import ANA, Linked
from messaging.tests.support.records import message as received
from organizations.access import Actor
from organizations.actions import set_active
from organizations.models import Organization

State = Message.State


def content_of(response: Any) -> dict[str, Any]:
    """Return what is stored of the message that was accepted."""
    assert response.status_code == 200, response.content
    public_id = response.json()["messages"][0]["id"].removeprefix("wamid.")
    found: dict[str, Any] = Message.objects.get(public_id=public_id).content
    return found


@pytest.mark.parametrize("version", ["v13.0/", "v23.0/", "v100.12/", ""])
def test_text_is_accepted_in_each_version(
    organization: Organization, worker: Worker, version: str
) -> None:
    graph = Graph(organization, version=version)
    response = graph.send()
    found = Message.objects.get()
    assert response.status_code == 200
    assert response.json() == {
        "messaging_product": "whatsapp",
        "contacts": [{"input": NUMBER, "wa_id": NUMBER, "user_id": NUMBER}],
        "messages": [{"id": f"wamid.{found.public_id}", "message_status": "accepted"}],
    }
    assert (found.organization, found.contact.number) == (organization, NUMBER)
    assert (found.state, found.token) == (State.QUEUED, graph.token)
    assert found.content == {"text": {"body": "Olá!"}, "context": None}


@pytest.mark.parametrize("to", [f"+{NUMBER}", NUMBER, int(NUMBER), "+55 (11) 98765-4321"])
def test_number_is_taken_in_each_spelling(graph: Graph, to: Any) -> None:
    response = graph.send(to=to)
    assert response.json()["contacts"][0] == {
        "input": str(to),
        "wa_id": NUMBER,
        "user_id": NUMBER,
    }


def test_person_with_a_number_that_is_not_valid_is_answered_by_the_wa_id(
    graph: Graph, organization: Organization
) -> None:
    strange = "15550783881"
    assert error(graph.send(to=strange)) == (400, 131009)
    known = contact(organization, strange)
    assert graph.send(to=strange).json()["contacts"][0]["wa_id"] == strange
    assert Message.objects.get().contact == known


def test_person_known_by_the_hidden_identity_is_answered_by_the_user_id(
    graph: Graph, organization: Organization
) -> None:
    known = contact(organization, "", lid="128462923874512")
    body = message(recipient="ZZ.128462923874512")
    del body["to"]
    assert graph.send(body).json()["contacts"][0]["user_id"] == "ZZ.128462923874512"
    assert Message.objects.get().contact == known
    assert error(graph.send(to="ZZ.999")) == (400, 131009)


CONTENT: dict[str, tuple[Any, dict[str, Any]]] = {
    "text": (
        {"body": "Oi", "preview_url": True},
        {"text": {"body": "Oi", "preview_url": True}},
    ),
    "location": (
        {"latitude": "-23.5", "longitude": 46, "name": "Loja", "address": None},
        {"location": {"latitude": -23.5, "longitude": 46.0, "name": "Loja"}},
    ),
    "contacts": (
        [
            {
                "name": {"formatted_name": "Bea", "first_name": "Bea"},
                "phones": [{"phone": "+55 11 98765-4322", "type": "CELL"}, {"wa_id": NUMBER}],
                "emails": [{"email": "bea@example.com"}],
            }
        ],
        {
            "contacts": {
                "contacts": [
                    {
                        "name": "Bea",
                        "vcard": "BEGIN:VCARD\nVERSION:3.0\nN:;Bea;;;\nFN:Bea\n"
                        "TEL;type=CELL;waid=5511987654322:+55 11 98765-4322\n"
                        f"TEL;type=CELL;waid={NUMBER}:+55 11 98765-4321\nEND:VCARD",
                    }
                ]
            }
        },
    ),
    "interactive": (
        {
            "type": "button",
            "header": {"type": "text", "text": "Pedido"},
            "body": {"text": "Confirma?"},
            "footer": {"text": "Padaria"},
            "action": {
                "buttons": [
                    {"type": "reply", "reply": {"id": "y", "title": "Sim"}},
                    {"type": "reply", "reply": {"id": "n", "title": "Não"}},
                ]
            },
        },
        {"text": {"body": "Pedido\n\nConfirma?\n\n1. Sim\n2. Não\n\nPadaria"}},
    ),
}


@pytest.mark.parametrize("kind", CONTENT)
def test_content_of_each_type_is_stored(graph: Graph, kind: str) -> None:
    given, expected = CONTENT[kind]
    assert content_of(graph.send(type=kind, **{kind: given})) == expected | {"context": None}


@pytest.mark.parametrize(
    ("phone", "line"),
    [
        (
            {"phone": "(11) 98765-4321", "wa_id": NUMBER},
            f"TEL;type=CELL;waid={NUMBER}:(11) 98765-4321",
        ),
        ({"phone": "190"}, "TEL;type=CELL:190"),
        ({"phone": "(11) 4002-8922", "wa_id": None}, "TEL;type=CELL:(11) 4002-8922"),
        ({"phone": "190\r\nEND:VCARD\u2028"}, "TEL;type=CELL:190 END:VCARD"),
        ({"phone": "190", "wa_id": "x\n:1"}, "TEL;type=CELL:190"),
        (NUMBER, f"TEL;type=CELL;waid={NUMBER}:+55 11 98765-4321"),
        ({"wa_id": "+55 11 98765-4321"}, f"TEL;type=CELL;waid={NUMBER}:+55 11 98765-4321"),
    ],
)
def test_number_of_a_card_is_shown_as_it_is_written(graph: Graph, phone: Any, line: str) -> None:
    card = {"name": {"formatted_name": "Bea"}, "phones": [phone]}
    content = content_of(graph.send(type="contacts", contacts=[card]))
    [stored] = content["contacts"]["contacts"]
    assert stored["vcard"].split("\n")[4:] == [line, "END:VCARD"]


def test_received_card_can_be_forwarded(graph: Graph, organization: Organization) -> None:
    linked = Linked(organization)
    vcard = f"BEGIN:VCARD\nFN:Bea\nTEL;waid={NUMBER}:11 98765\nTEL;type=HOME:190\nEND:VCARD"
    cards = {"contacts": [{"name": "Bea", "vcard": vcard}]}
    linked.store(received(ANA, type="contacts", contacts=cards))
    told = notification(linked.events()[-1])
    assert told is not None
    given = told["entry"][0]["changes"][0]["value"]["messages"][0]["contacts"]
    content = content_of(graph.send(type="contacts", contacts=given))
    assert content["contacts"]["contacts"][0]["vcard"].split("\n")[4:] == [
        f"TEL;type=CELL;waid={NUMBER}:11 98765",
        "TEL;type=CELL:190",
        "END:VCARD",
    ]


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("true", {"preview_url": True}),
        ("false", {"preview_url": False}),
        (None, {}),
    ],
)
def test_preview_is_wanted_in_each_spelling(graph: Graph, given: Any, stored: Any) -> None:
    sent = graph.send(type="text", text={"body": "Oi", "preview_url": given})
    assert content_of(sent)["text"] == {"body": "Oi", **stored}
    assert error(graph.send(type="text", text={"body": "Oi", "preview_url": []}))[0] == 400


@pytest.mark.parametrize(
    ("kind", "fields", "expected"),
    [
        ("image", {"caption": "Bolo"}, {"caption": "Bolo"}),
        ("image", {"caption": None}, {}),
        ("audio", {"voice": True}, {"voice": True}),
        ("document", {"filename": "a.pdf", "caption": ""}, {"filename": "a.pdf"}),
        ("sticker", {}, {}),
    ],
)
def test_file_is_sent_by_its_id(
    graph: Graph, organization: Organization, kind: str, fields: Any, expected: Any
) -> None:
    types = {"image": "image/png", "audio": "audio/ogg", "sticker": "image/webp"}
    file = Media.objects.create(
        organization=organization, state="ready", mime_type=types.get(kind, "application/pdf")
    )
    response = graph.send(type=kind, **{kind: {"id": file.public_id, **fields}})
    assert content_of(response) == {kind: expected, "context": None}
    assert Message.objects.get().media == file


def test_answer_and_reaction_name_the_message_with_and_without_prefix(
    graph: Graph, organization: Organization
) -> None:
    asked = stored(organization)
    for named in (asked.public_id, f"wamid.{asked.public_id}"):
        answer = content_of(graph.send(context={"message_id": named}))
        assert answer["context"]["messageId"] == asked.public_id
        reaction = content_of(
            graph.send(type="reaction", reaction={"message_id": named, "emoji": "👍"})
        )
        assert reaction["reaction"]["target"]["messageId"] == asked.public_id
        taken_back = content_of(graph.send(type="reaction", reaction={"message_id": named}))
        assert taken_back["reaction"]["emoji"] == ""


def test_empty_context_is_no_answer(graph: Graph) -> None:
    for context in (None, {}, {"message_id": None}, {"message_id": ""}):
        assert content_of(graph.send(context=context))["context"] is None


def test_callback_data_is_kept_encrypted(graph: Graph) -> None:
    graph.send(biz_opaque_callback_data="order-1207")
    assert Message.objects.get().callback_data == "order-1207"
    assert error(graph.send(biz_opaque_callback_data="x" * 513)) == (400, 131009)


def test_same_idempotency_key_sends_once(graph: Graph) -> None:
    key = {"Idempotency-Key": "order-1207"}
    first = graph.of_number("post", "messages", message(), **key)
    again = graph.of_number("post", "messages", message(), **key)
    assert first.json() == again.json()
    assert Message.objects.count() == 1
    other = message(text={"body": "Outra"})
    assert error(graph.of_number("post", "messages", other, **key)) == (400, 131009)


REFUSED: dict[str, tuple[dict[str, Any], tuple[int, int]]] = {
    "template": (message(type="template", template={"name": "hello_world"}), (404, 132001)),
    "another type": (message(type="order_details"), (400, 131051)),
    "an edit, which Meta does not have": (message(type="edit", edit={}), (400, 131051)),
    "no product": ({"to": NUMBER, "type": "text", "text": {"body": "x"}}, (400, 100)),
    "a group": (message(recipient_type="group"), (400, 131009)),
    "no recipient": (
        {"messaging_product": "whatsapp", "type": "text", "text": {"body": "x"}},
        (400, 131008),
    ),
    "no number": (message(to="hello"), (400, 131009)),
    "no object of the type": (message(type="image"), (400, 131008)),
    "no text": (message(text={}), (400, 131008)),
    "an empty text": (message(text={"body": " "}), (400, 131009)),
    "a long text": (message(text={"body": "x" * 4097}), (400, 131009)),
    "a text that is none": (message(text="x"), (400, 131009)),
    "a card without a name": (message(type="contacts", contacts=[{"phones": []}]), (400, 131008)),
    "a card without a number": (
        message(type="contacts", contacts=[{"name": {"formatted_name": "B"}, "phones": [{}]}]),
        (400, 131008),
    ),
    "a card with a number that is no text": (
        message(type="contacts", contacts=[{"name": {"formatted_name": "B"}, "phones": [[]]}]),
        (400, 131009),
    ),
    "an unknown file": (message(type="image", image={"id": "x" * 22}), (400, 131009)),
    "an unknown context": (message(context={"message_id": "wamid." + "x" * 22}), (400, 131009)),
    "an empty body": ({}, (400, 100)),
    "a status that is none": ({"messaging_product": "whatsapp", "status": "seen"}, (400, 131009)),
    "a flow": (
        message(type="interactive", interactive={"type": "flow", "body": {"text": "x"}}),
        (400, 131051),
    ),
    "an interactive without choices": (
        message(type="interactive", interactive={"type": "button", "body": {"text": "x"}}),
        (400, 131009),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_message_gets_its_code_and_is_not_stored(graph: Graph, name: str) -> None:
    body, expected = REFUSED[name]
    assert error(graph.send(body)) == expected
    assert not Message.objects.exists()


def test_body_that_is_no_object_gets_400(graph: Graph) -> None:
    for body in ([], [message()], "text", 7):
        assert error(graph.send(body)) == (400, 100)


def test_buttons_are_refused_where_an_owner_wants_that(
    graph: Graph, organization: Organization
) -> None:
    MessagingSettings.objects.create(organization=organization, interactive_as_text=False)
    given, _ = CONTENT["interactive"]
    refused = graph.send(type="interactive", interactive=given)
    assert error(refused) == (400, 131051)


def test_details_name_the_fields_as_meta_does(graph: Graph) -> None:
    refused = graph.send(type="reaction", reaction={"emoji": "👍"})
    assert details(refused) == "reaction.message_id: This field is required."


def test_full_queue_gets_429_with_retry_after(graph: Graph, settings: Any) -> None:
    settings.OUTBOX_LIMIT = 1
    assert graph.send().status_code == 200
    refused = graph.send()
    assert (error(refused), refused["Retry-After"]) == ((429, 130429), "60")


def test_too_much_to_one_person_gets_its_own_code(graph: Graph, settings: Any) -> None:
    settings.MESSAGES_PER_RECIPIENT = 1
    assert graph.send().status_code == 200
    assert error(graph.send()) == (429, 131056)


def test_nothing_is_accepted_without_a_worker(organization: Organization) -> None:
    refused = Graph(organization).send()
    assert error(refused) == (503, 131016)
    assert refused["Retry-After"] == "10"
    assert not Message.objects.exists()


def test_deactivated_organization_sends_nothing(graph: Graph, organization: Organization) -> None:
    set_active(organization, False, Actor("the tests"))
    assert error(graph.send()) == (403, 10)


def test_token_without_the_right_sends_nothing(organization: Organization, worker: Worker) -> None:
    assert error(Graph(organization, READ).send()) == (403, 10)
    assert Graph(organization, SEND).send().status_code == 200


def test_received_message_is_marked_as_read(graph: Graph, organization: Organization) -> None:
    asked = stored(organization)
    for typing in ({}, {"typing_indicator": {"type": "text"}}):
        body = {"messaging_product": "whatsapp", "status": "read", **typing}
        response = graph.send({**body, "message_id": f"wamid.{asked.public_id}"})
        assert (response.status_code, response.json()) == (200, {"success": True})
    asked.refresh_from_db()
    assert asked.read_at is not None
    for unknown in ("x" * 22, "wamid.", "\0" * 22, None, 7):
        assert error(graph.send({**body, "message_id": unknown})) == (400, 131009)


def test_message_of_our_own_is_not_marked_as_read(graph: Graph) -> None:
    own = graph.send().json()["messages"][0]["id"]
    body = {"messaging_product": "whatsapp", "status": "read", "message_id": own}
    assert error(graph.send(body)) == (400, 131009)
