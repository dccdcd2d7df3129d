"""`POST messages`: what is accepted, what is refused and how, and that a key sends only once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from messaging import queue_reasons
from messaging.actions import outgoing
from messaging.models import IdempotencyKey, Media, Message, MessagingSettings
from messaging.tests.support.api import NUMBER, SEND, TO, MessageApi, contact, message, text
from organizations.access import Actor
from organizations.actions import revoke_token, set_active
from organizations.models import Membership, Organization
from organizations.tests.support.api import error, olivia
from organizations.tests.support.users import member

__all__ = ["olivia"]

State = Message.State
TESTS = Actor("the tests")
DIGEST_OF_AN_EARLIER_VERSION = "c68669cf474092d8069adaf850c4e0cb5baeba666bd26855470aaa2604d8d153"
"""What versions before keyed digests stored for `text()`."""


@pytest.fixture
def api(olivia: User, organization: Organization) -> MessageApi:
    return MessageApi(olivia, organization, SEND)


def test_message_is_stored_and_answered_with_its_state(
    api: MessageApi, organization: Organization, olivia: User
) -> None:
    response = api.send()
    assert response.status_code == 202
    answer = response.json()
    stored = Message.objects.get()
    assert (stored.organization, stored.contact.number) == (organization, NUMBER)
    assert stored.content == {"text": {"body": "Olá!"}, "context": None}
    assert (stored.user, stored.token, stored.state) == (olivia, api.token, State.QUEUED)
    assert (answer["success"], answer["id"], answer["state"]) == (True, stored.public_id, "queued")
    assert (answer["waId"], answer["whatsappId"], answer["reason"]) == (None, None, "not_linked")
    assert answer["contact"]["phone"] == TO
    left = stored.expires_at - timezone.now() if stored.expires_at else timedelta(0)
    assert timedelta(minutes=59) < left <= timedelta(hours=1)
    assert answer["limits"] == {
        "perMinute": 60,
        "newRecipientsPerDay": 50,
        "newRecipientsToday": 0,
        "waiting": 1,
        "repliesOnlyUntil": None,
    }


def test_message_takes_no_more_queries_than_it_needs(
    api: MessageApi, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    api.send()
    # Token and organization; in a transaction (2) the organization, token and role again, outbox,
    # the count of what waits, two quotas, contact and message; for the answer two counts.
    with django_assert_num_queries(15):
        assert api.send().status_code == 202


def test_database_that_fails_after_a_message_was_stored_leaves_it_accepted(
    api: MessageApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(organization_id: int) -> int:
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(queue_reasons, "new_recipients", fail)
    answer = api.send()
    assert (answer.status_code, answer.json()["state"]) == (202, "queued")
    assert (answer.json()["id"], answer.json()["limits"]) == (Message.objects.get().public_id, None)


def test_half_a_character_as_the_type_gets_400(api: MessageApi) -> None:
    refused = error(api("post", "messages", b'{"to": "+5511987654321", "type": "\\ud83d"}'))
    assert refused[:2] == (400, "unsupported_type")


def test_text_is_not_in_the_answer(api: MessageApi) -> None:
    assert "Olá!" not in api.send().content.decode()


def test_number_in_another_spelling_is_the_same_contact(
    api: MessageApi, organization: Organization
) -> None:
    known = contact(organization, "551187654321")
    assert api.send().status_code == 202
    assert Message.objects.get().contact == known


def test_person_known_by_lid_alone_can_be_answered(
    api: MessageApi, organization: Organization
) -> None:
    known = contact(organization, "", lid="128462923874512")
    assert api.send(to="128462923874512@lid").status_code == 202
    assert Message.objects.get().contact == known
    refused = error(api.send(to="999@lid"))
    assert refused[:2] == (400, "unknown_contact")


CONTENT: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "location": ({"latitude": -23.5, "longitude": 46}, {"latitude": -23.5, "longitude": 46.0}),
    "contacts": (
        {"contacts": [{"name": "Ana; Lda", "phones": [TO]}]},
        {
            "contacts": [
                {
                    "name": "Ana; Lda",
                    "vcard": "BEGIN:VCARD\nVERSION:3.0\nN:;Ana\\; Lda;;;\nFN:Ana\\; Lda\n"
                    f"TEL;type=CELL;waid={NUMBER}:+55 11 98765-4321\nEND:VCARD",
                }
            ]
        },
    ),
}


@pytest.mark.parametrize("kind", CONTENT)
def test_content_is_stored_as_the_worker_takes_it(api: MessageApi, kind: str) -> None:
    given, stored = CONTENT[kind]
    assert api.send({"to": TO, "type": kind, kind: given}).status_code == 202
    assert Message.objects.get().content == {kind: stored, "context": None}


# --- About other messages -----------------------------------------------------------------------


def test_answer_names_the_message_by_whatsapps_id(
    api: MessageApi, organization: Organization
) -> None:
    asked = message(organization)
    assert api.send(context={"messageId": asked.public_id}).status_code == 202
    assert Message.objects.first().content["context"] == {  # type: ignore[union-attr]
        "messageId": asked.public_id,
        "whatsappId": asked.whatsapp_id,
        "fromMe": False,
    }


def test_message_of_another_conversation_is_unknown(
    api: MessageApi, organization: Organization, other_organization: Organization
) -> None:
    elsewhere = [
        message(organization, contact=contact(organization, "5521987654321")),
        message(other_organization),
        message(organization, whatsapp_id="", state=State.QUEUED),
    ]
    for other in elsewhere:
        refused = error(api.send(context={"messageId": other.public_id}))
        assert refused[:2] == (400, "unknown_message")
    assert Message.objects.count() == 3


@pytest.mark.parametrize("emoji", ["👍", "❤️", "👨‍👩‍👧", "🇧🇷", "1️⃣", "👋🏽", ""])
def test_reaction_of_one_emoji_is_accepted(
    api: MessageApi, organization: Organization, emoji: str
) -> None:
    target = message(organization)
    body = {"messageId": target.public_id, "emoji": emoji}
    assert api.send({"to": TO, "type": "reaction", "reaction": body}).status_code == 202
    stored = Message.objects.first()
    assert stored is not None and stored.content["reaction"]["emoji"] == emoji
    assert stored.content["reaction"]["target"]["whatsappId"] == target.whatsapp_id


@pytest.mark.parametrize("emoji", ["ok", "👍👍", "1", "a\u200db", "🇧", "👍\u200d", "\u200d"])
def test_reaction_of_anything_else_is_refused(
    api: MessageApi, organization: Organization, emoji: str
) -> None:
    body = {"messageId": message(organization).public_id, "emoji": emoji}
    refused = error(api.send({"to": TO, "type": "reaction", "reaction": body}))
    assert refused[:2] == (400, "invalid") and refused[2].startswith("reaction.emoji: ")


@pytest.mark.parametrize("kind", ["edit", "delete"])
def test_only_own_messages_are_edited_and_deleted(
    api: MessageApi, organization: Organization, kind: str
) -> None:
    def send(target: Message) -> Any:
        body = {"messageId": target.public_id} | ({"body": "new"} if kind == "edit" else {})
        return api.send({"to": TO, "type": kind, kind: body})

    own = message(organization, direction=Message.Direction.OUT, state=State.SENT)
    assert send(own).status_code == 202
    assert error(send(message(organization)))[:2] == (400, "unknown_message")


def test_edit_is_refused_after_15_minutes(api: MessageApi, organization: Organization) -> None:
    long_ago = timezone.now() - timedelta(minutes=16)
    own = message(
        organization, direction=Message.Direction.OUT, state=State.SENT, happened_at=long_ago
    )
    body = {"messageId": own.public_id, "body": "new"}
    refused = error(api.send({"to": TO, "type": "edit", "edit": body}))
    assert refused[:2] == (409, "too_late_to_edit")


# --- Files --------------------------------------------------------------------------------------


def test_file_of_a_fitting_type_is_sent(api: MessageApi, organization: Organization) -> None:
    media = _media(organization, "image/png")
    body = {"id": media.public_id, "caption": "Olá"}
    assert api.send({"to": TO, "type": "image", "image": body}).status_code == 202
    stored = Message.objects.get()
    assert (stored.media, stored.content) == (media, {"image": {"caption": "Olá"}, "context": None})


@pytest.mark.parametrize(
    ("kind", "mime_type", "state", "code"),
    [
        ("image", "application/pdf", "ready", "wrong_media_type"),
        ("sticker", "image/png", "ready", "wrong_media_type"),
        ("audio", "video/mp4", "ready", "wrong_media_type"),
        ("image", "image/png", "pending", "media_not_ready"),
        ("document", "image/png", "failed", "media_not_ready"),
    ],
)
def test_file_that_does_not_fit_is_refused(
    api: MessageApi, organization: Organization, kind: str, mime_type: str, state: str, code: str
) -> None:
    media = _media(organization, mime_type, state)
    response = api.send({"to": TO, "type": kind, kind: {"id": media.public_id}})
    assert response.json()["code"] == code
    assert not Message.objects.exists()


def test_file_of_another_organization_is_unknown(
    api: MessageApi, other_organization: Organization
) -> None:
    media = _media(other_organization, "image/png")
    refused = error(api.send({"to": TO, "type": "image", "image": {"id": media.public_id}}))
    assert refused[:2] == (400, "unknown_media")


def _media(organization: Organization, mime_type: str, state: str = "ready") -> Media:
    return Media.objects.create(
        organization=organization, mime_type=mime_type, state=state, stored_as="x"
    )


# --- Bad input ----------------------------------------------------------------------------------

LONG_AGO = (timezone.now() - timedelta(days=1)).isoformat()
MUCH_LATER = (timezone.now() + timedelta(hours=25)).isoformat()
SOMEONE = "a" * 22


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"to": "hello"}, "to: "),
        ({"to": 5511987654321}, "to: "),
        ({"to": "123@g.us"}, "to: Messages go to one person"),
        ({"to": "status@broadcast"}, "to: Messages go to one person"),
        ({"to": "5511987654321@s.whatsapp.net"}, "to: Messages go to one person"),
        ({"to": None}, "to: "),
        ({"type": "template"}, "type: Messages of the type “template” cannot be sent. These can: "),
        ({"type": None}, "type: "),
        ({"text": {"body": "x" * 4097}}, "text.body: "),
        ({"text": {"body": ""}}, "text.body: "),
        ({"text": {"body": " \n"}}, "text.body: "),
        ({"text": {"body": 7}}, "text.body: "),
        ({"text": {"body": "a\0b"}}, "text.body: "),
        ({"text": {"body": "\ud800"}}, "text.body: "),
        ({"text": "hello"}, "text: "),
        ({"text": None}, "text: "),
        ({"type": "image"}, "image: This field is required."),
        ({"type": "image", "image": {"id": "../../etc/passwd"}}, "image.id: "),
        ({"type": "image", "image": {"id": SOMEONE, "caption": "x" * 1025}}, "image.caption: "),
        ({"type": "audio", "audio": {"id": SOMEONE, "voice": "yes"}}, "audio.voice: "),
        ({"type": "location", "location": {"latitude": 91, "longitude": 0}}, "location.latitude"),
        ({"type": "location", "location": {"latitude": 0, "longitude": 181}}, "location.longi"),
        ({"type": "location", "location": {"latitude": "1", "longitude": 0}}, "location.latitude"),
        ({"type": "location", "location": {"latitude": True, "longitude": 0}}, "location.latitude"),
        ({"type": "contacts", "contacts": {"contacts": []}}, "contacts.contacts: "),
        (
            {"type": "contacts", "contacts": {"contacts": [{"name": "x", "phones": ["y"]}]}},
            "contacts.contacts.0.phones.0: ",
        ),
        ({"type": "reaction", "reaction": {"messageId": "x", "emoji": "👍"}}, "reaction.messageId"),
        (
            {
                "type": "reaction",
                "reaction": {"messageId": SOMEONE, "emoji": "👍"},
                "context": {"messageId": SOMEONE},
            },
            "context: ",
        ),
        ({"context": {"messageId": 7}}, "context.messageId: "),
        ({"expiresAt": "soon"}, "expiresAt: "),
        ({"expiresAt": LONG_AGO}, "expiresAt: "),
        ({"expiresAt": MUCH_LATER}, "expiresAt: "),
        ({"onUnknown": "guess"}, "onUnknown: "),
        ({"onUnknown": "resent"}, "onUnknown: "),
    ],
)
def test_bad_field_is_named_and_nothing_is_stored(
    api: MessageApi, fields: dict[str, Any], named: str
) -> None:
    status, code, text = error(api.send(**fields))
    assert (status, text[: len(named)]) == (400, named)
    assert code == ("unsupported_type" if "template" in fields.values() else "invalid")
    assert not Message.objects.exists()


@pytest.mark.parametrize("body", [[], '"text"', 7, "null", {}])
def test_body_of_another_shape_is_refused(api: MessageApi, body: Any) -> None:
    assert error(api("post", "messages", body))[:2] == (400, "invalid")


def test_longest_text_is_accepted(api: MessageApi) -> None:
    assert api.send(text("á" * 4096)).status_code == 202


# --- Idempotency --------------------------------------------------------------------------------


def test_same_key_and_body_return_the_same_message(api: MessageApi) -> None:
    first, second = api.send(key="order 7"), api.send(key="order 7")
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["id"] == second.json()["id"]
    assert Message.objects.count() == 1


def test_same_key_returns_the_message_as_it_is_now(api: MessageApi) -> None:
    soon = (timezone.now() + timedelta(hours=1)).isoformat()
    api.send(key="k", expiresAt=soon)
    Message.objects.update(state=State.EXPIRED, reason="expired")
    answer = api.send(key="k", expiresAt=soon).json()
    assert (answer["state"], answer["sentence"]) == ("expired", "It could not be sent in time.")


def test_same_key_with_another_body_is_refused(api: MessageApi) -> None:
    api.send(key="k")
    assert error(api.send(text("another"), key="k"))[:2] == (422, "idempotency_key_reused")
    assert Message.objects.count() == 1


def test_digest_of_a_body_is_keyed_and_outlives_a_new_secret_key(
    api: MessageApi, settings: Settings
) -> None:
    first = api.send(key="k").json()["id"]
    stored = IdempotencyKey.objects.get().body_hash
    assert len(stored) == 64 and stored != DIGEST_OF_AN_EARLIER_VERSION
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another" * 9
    assert api.send(key="k").json()["id"] == first
    assert error(api.send(text("another"), key="k"))[:2] == (422, "idempotency_key_reused")


def test_request_of_before_the_upgrade_is_known_by_its_plain_digest(api: MessageApi) -> None:
    first = api.send(key="k").json()["id"]
    IdempotencyKey.objects.update(body_hash=DIGEST_OF_AN_EARLIER_VERSION)
    assert api.send(key="k").json()["id"] == first
    assert error(api.send(text("another"), key="k"))[:2] == (422, "idempotency_key_reused")
    assert Message.objects.count() == 1


def test_keys_of_organizations_are_apart(
    api: MessageApi, charlie: User, other_organization: Organization
) -> None:
    api.send(key="k")
    MessageApi(charlie, other_organization, SEND).send(text("another"), key="k")
    assert Message.objects.count() == 2


@pytest.mark.parametrize("key", ["", "x" * 256, "ação", "a\tb"])
def test_bad_key_is_refused(api: MessageApi, key: str) -> None:
    status, code, message = error(api.send(key=key))
    assert (status, code) == (400, "invalid") and message.startswith("Idempotency-Key: ")
    assert not Message.objects.exists()


# --- States of the organization, and rights -----------------------------------------------------


def test_deactivated_organization_takes_no_message(
    api: MessageApi, organization: Organization
) -> None:
    api.send(key="k")
    set_active(organization, False, TESTS)
    assert error(api.send())[:2] == (409, "organization_inactive")
    assert api.send(key="k").status_code == 202


def test_stopped_organization_takes_no_message(api: MessageApi, organization: Organization) -> None:
    MessagingSettings.objects.create(organization=organization, sending_stopped_at=timezone.now())
    assert error(api.send())[:2] == (409, "sending_stopped")


def test_full_queue_gets_429_with_retry_after(api: MessageApi, settings: Settings) -> None:
    settings.OUTBOX_LIMIT = 1
    api.send()
    refused = api.send()
    assert error(refused)[:2] == (429, "queue_full")
    assert refused["Retry-After"] == "60"


def test_member_without_the_scope_or_the_right_gets_403(
    olivia: User, alice: User, bob: User, organization: Organization
) -> None:
    for user, scopes in ((olivia, ()), (alice, (SEND,)), (bob, (SEND,))):
        refused = error(MessageApi(user, organization, *scopes).send())
        assert refused[:2] == (403, "permission_denied") and "messages:send" in refused[2]
    assert not Message.objects.exists()


def test_operator_sends_once_the_owner_allows_it(alice: User, organization: Organization) -> None:
    Organization.objects.update(operators_read_messages=True)
    assert MessageApi(alice, organization, SEND).send().status_code == 202


def test_outsider_gets_404(charlie: User, organization: Organization) -> None:
    assert error(MessageApi(charlie, organization, SEND).send())[:2] == (404, "not_found")


def test_organizations_own_token_sends(olivia: User, organization: Organization) -> None:
    assert MessageApi(olivia, organization, SEND, own=True).send().status_code == 202
    assert Message.objects.get().actor == "API token messages"


def test_right_that_ends_after_the_check_stops_the_message(
    api: MessageApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    enqueue = outgoing.enqueue

    def revoke_first(*arguments: Any) -> Message:
        revoke_token(api.token, TESTS)
        return enqueue(*arguments)

    monkeypatch.setattr(outgoing, "enqueue", revoke_first)
    assert error(api.send())[:2] == (403, "permission_denied")
    assert not Message.objects.exists()


def test_member_who_is_removed_sends_no_more(organization: Organization) -> None:
    dora = member("dora", organization, Membership.Role.OWNER)
    api = MessageApi(dora, organization, SEND)
    assert api.send().status_code == 202
    dora.memberships.all().delete()
    assert error(api.send())[:2] == (404, "not_found")
