"""`extend_schema` decorators of the views of messages. Each is named after its operation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from django.utils.translation import override
from drf_spectacular.utils import OpenApiParameter, extend_schema

from messaging import refusals
from messaging.api import schema_responses as responses
from messaging.api import serializers
from messaging.api.content import CONTENT, ID_OR_LINK, ONE_EMOJI
from messaging.refusals import MessageRefused
from organizations.access import DENIED_MESSAGES, Permission
from organizations.api.schema import (
    BODY_ERRORS,
    ORGANIZATION_NOT_FOUND,
    ErrorExample,
    error_responses,
    example_request,
    example_response,
    forbidden,
    invalid,
)
from organizations.phone_numbers import INVALID
from outbound.errors import Kind, RequestFailed

TAGS = ["messages"]

ID, EARLIER = "u3GhZ0cVqvq1QdGdX9rHnA", "k0Yd1QmJ3wS8oF2bTzRxLw"
AT = "2026-03-01T09:30:00+00:00"
PERSON = {"phone": "+5511987654321", "lid": None, "waId": None, "name": None}
STATE = {
    "success": True,
    "id": ID,
    "direction": "out",
    "type": "text",
    "state": "queued",
    "reason": None,
    "sentence": None,
    "waId": None,
    "whatsappId": None,
    "callbackData": None,
    "resends": None,
    "onUnknown": "keep",
    "createdAt": AT,
    "at": AT,
    "expiresAt": "2026-03-01T10:30:00+00:00",
    **dict.fromkeys(["sendingAt", "sentAt", "deliveredAt", "readAt", "playedAt", "endedAt"]),
    "contact": PERSON,
}
ACCEPTED = {
    **STATE,
    "limits": {
        "perMinute": 60,
        "newRecipientsPerDay": 50,
        "newRecipientsToday": 3,
        "waiting": 1,
        "repliesOnlyUntil": None,
    },
}
RECEIVED = {
    **{name: value for name, value in STATE.items() if name != "success"},
    "direction": "in",
    "state": "received",
    "whatsappId": "3EB0C767D097E9ECFE8B4A",
    "onUnknown": None,
    "expiresAt": None,
    "contact": PERSON | {"lid": "128462923874512", "waId": "5511987654321", "name": "Ana"},
    "group": None,
    "text": {"body": "Olá! Vocês abrem hoje?"},
    "context": None,
    "media": None,
}


def refusal(kind: Callable[[], MessageRefused]) -> ErrorExample:
    """Return what the API answers to a request that is refused, in English."""
    with override(None):
        error = kind()
        return ErrorExample(error.status, error.code, error.sentence)


SENDERS_ONLY = forbidden(DENIED_MESSAGES[Permission.SEND_MESSAGES])
READERS_ONLY = forbidden(DENIED_MESSAGES[Permission.READ_MESSAGES])
NO_MESSAGE = ErrorExample(404, "not_found", "There is no such message.")
UNSUPPORTED = ErrorExample(
    400,
    "unsupported_type",
    "type: " + serializers.UNSUPPORTED_TYPE.format(type="template", types=", ".join(CONTENT)),
)
NOT_ACCEPTED = [refusal(kind) for kind in (refusals.Inactive, refusals.SendingStopped)]
QUEUE_FULL = refusal(refusals.QueueFull)
TOO_MANY = [refusal(kind) for kind in (refusals.TooManyForToken, refusals.TooManyToRecipient)]
LINKS = [
    *(refusal(refusals.TooManyDownloads), refusal(refusals.StorageFull)),
    refusal(refusals.StorageUnavailable),
    *(refusal(partial(refusals.LinkFailed, RequestFailed(kind))) for kind in Kind),
]

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
    OpenApiParameter.HEADER,
    description="Any text of your own. The same key with the same body never sends a second "
    "message: it is answered with the first one as it is now. Kept for 48 hours.",
)

list_messages = extend_schema(
    operation_id="listMessages",
    summary="Messages in both directions; without their texts for those who only send",
    tags=TAGS,
    parameters=[serializers.MessageQuery],
    responses={
        200: example_response(
            responses.MessagePage,
            "A page of them, the newest first.",
            {"next": None, "results": [RECEIVED]},
        ),
        **error_responses(
            invalid(f"cursor: {serializers.BAD_CURSOR}"),
            invalid(f"state: {serializers.UNKNOWN_STATE.format(state='lost in space')}"),
            invalid(f"contact: {INVALID}"),
            READERS_ONLY,
            ORGANIZATION_NOT_FOUND,
        ),
    },
)
send_message = extend_schema(
    operation_id="sendMessage",
    summary="Send a message: it is stored, and goes out when its turn comes",
    tags=TAGS,
    parameters=[IDEMPOTENCY_KEY],
    request=serializers.NewMessageSerializer,
    examples=[
        example_request({"to": "+5511987654321", "type": "text", "text": {"body": "Olá!"}}, "text"),
        example_request(
            {
                "to": "+5511987654321",
                "type": "text",
                "text": {"body": "Sim, até as 18h."},
                "context": {"messageId": EARLIER},
                "expiresAt": "2026-03-01T18:00:00Z",
                "onUnknown": "resend",
            },
            "an answer that is of no use after 18:00",
        ),
        example_request(
            {"to": "+5511987654321", "type": "image", "image": {"id": ID, "caption": "O cardápio"}},
            "a picture that was uploaded before",
        ),
        example_request(
            {
                "to": "+5511987654321",
                "type": "image",
                "image": {"link": "https://loja.example.com/cardapio.jpg"},
            },
            "a picture that is fetched from a link",
        ),
        example_request(
            {
                "to": "+5511987654321",
                "type": "document",
                "document": {"id": ID, "filename": "pedido.pdf"},
            },
            "a document",
        ),
        example_request(
            {"to": "+5511987654321", "type": "audio", "audio": {"id": ID, "voice": True}},
            "a voice message",
        ),
        example_request(
            {
                "to": "+5511987654321",
                "type": "location",
                "location": {"latitude": -23.5613, "longitude": -46.6565, "name": "MASP"},
            },
            "a place",
        ),
        example_request(
            {
                "to": "+5511987654321",
                "type": "contacts",
                "contacts": {"contacts": [{"name": "Oficina", "phones": ["+551133334444"]}]},
            },
            "a contact card",
        ),
        example_request(
            {
                "to": "128462923874512@lid",
                "type": "reaction",
                "reaction": {"messageId": EARLIER, "emoji": "👍"},
            },
            "a reaction",
        ),
        example_request(
            {
                "to": "+5511987654321",
                "type": "edit",
                "edit": {"messageId": EARLIER, "body": "Até as 19h."},
            },
            "another text for a message that was sent",
        ),
        example_request(
            {"to": "+5511987654321", "type": "delete", "delete": {"messageId": EARLIER}},
            "take a message back",
        ),
    ],
    responses={
        202: example_response(
            responses.AcceptedSerializer,
            "It waits. `GET` it, or read the feed, to see what becomes of it.",
            ACCEPTED,
        ),
        **error_responses(
            invalid("text.body: Ensure this field has no more than 4096 characters."),
            invalid(f"to: {INVALID}"),
            invalid(f"to: {serializers.SEVERAL_PEOPLE}"),
            invalid(f"reaction.emoji: {ONE_EMOJI}"),
            invalid(f"image.id: {ID_OR_LINK}"),
            UNSUPPORTED,
            *map(
                refusal,
                (
                    *(refusals.BadExpiry, refusals.UnknownTarget, refusals.UnknownRecipient),
                    *(refusals.UnknownMedia, refusals.WrongMediaType, refusals.MediaNotReady),
                    *(refusals.TooLateToEdit, refusals.NotEditable, refusals.KeyReused),
                ),
            ),
            *NOT_ACCEPTED,
            QUEUE_FULL,
            *TOO_MANY,
            *LINKS,
            SENDERS_ONLY,
            ORGANIZATION_NOT_FOUND,
            *BODY_ERRORS,
        ),
    },
)
read_message = extend_schema(
    operation_id="readMessage",
    summary="A message as it is now; without its text for those who only send",
    tags=TAGS,
    responses={
        200: example_response(
            responses.OneMessageSerializer, "The message.", {"success": True, **RECEIVED}
        ),
        **error_responses(READERS_ONLY, ORGANIZATION_NOT_FOUND, NO_MESSAGE),
    },
)
cancel_message = extend_schema(
    operation_id="cancelMessage",
    summary="Cancel a message that waits",
    tags=TAGS,
    responses={
        200: example_response(
            responses.CancelledSerializer,
            "It will not be sent.",
            STATE | {"state": "cancelled", "reason": "cancelled", "endedAt": AT},
        ),
        **error_responses(
            SENDERS_ONLY, ORGANIZATION_NOT_FOUND, NO_MESSAGE, refusal(refusals.NotCancellable)
        ),
    },
)
resend_message = extend_schema(
    operation_id="resendMessage",
    summary="Send a message once more that failed, or whose outcome is unknown",
    tags=TAGS,
    request=None,
    responses={
        202: example_response(
            responses.AcceptedSerializer,
            "The new message, which names the old one. The old one may have arrived, too, if its "
            "outcome is unknown.",
            ACCEPTED | {"resends": EARLIER},
        ),
        **error_responses(
            SENDERS_ONLY,
            ORGANIZATION_NOT_FOUND,
            NO_MESSAGE,
            refusal(refusals.NotResendable),
            refusal(refusals.MediaNotReady),
            *NOT_ACCEPTED,
            QUEUE_FULL,
            TOO_MANY[0],
        ),
    },
)
COUNT = {"success": True, "count": 14}
release_messages = extend_schema(
    operation_id="releaseMessages",
    summary="Send the messages that are held since a phone was linked anew",
    tags=TAGS,
    request=None,
    responses={
        200: example_response(responses.CountSerializer, "They wait for their turn.", COUNT),
        **error_responses(SENDERS_ONLY, ORGANIZATION_NOT_FOUND),
    },
)
drop_messages = extend_schema(
    operation_id="dropMessages",
    summary="Cancel the messages that are held since a phone was linked anew",
    tags=TAGS,
    request=None,
    responses={
        200: example_response(responses.CountSerializer, "They will not be sent.", COUNT),
        **error_responses(SENDERS_ONLY, ORGANIZATION_NOT_FOUND),
    },
)
