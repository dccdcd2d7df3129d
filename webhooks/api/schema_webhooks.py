"""`extend_schema` decorators of the views of webhooks, for an organization and for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema

from messaging.api.schema_messages import READERS_ONLY, refusal
from organizations.access import DENIED_MESSAGES, Permission
from organizations.api.schema import (
    BODY_ERRORS,
    ORGANIZATION_NOT_FOUND,
    OWNERS_ONLY,
    SUPERUSERS_ONLY,
    ErrorExample,
    error_responses,
    example_request,
    example_response,
    forbidden,
    invalid,
)
from webhooks import refusals
from webhooks.api import schema_responses as responses
from webhooks.api.schema_examples import (
    DELIVERY,
    EARLIER,
    NEW_DELIVERY,
    PAUSED,
    REPLAYS,
    SECRET,
    TEST,
    URL,
    WEBHOOK,
    WHOLE_DELIVERY,
)
from webhooks.api.serializers import (
    DeliveryQuery,
    NewWebhook,
    ReplayBody,
    ReplayEverywhereBody,
    WebhookChange,
)

Decorator = Callable[[Any], Any]
Json = dict[str, Any]

TAGS = ["webhooks"]
NO_WEBHOOK = ErrorExample(404, "not_found", "There is no such webhook.")
NO_DELIVERY = ErrorExample(404, "not_found", "There is no such delivery.")
OPERATORS_ONLY = forbidden(DENIED_MESSAGES[Permission.OPERATE])
BAD_ADDRESS = refusal(refusals.BadAddress)
NOT_VERIFIED = ErrorExample(
    400, "not_verified", refusals.NotVerified("it answered with status 404").sentence
)
TOO_MANY_VERIFICATIONS = refusal(refusals.TooManyVerifications)
TOO_MANY_TESTS = refusal(refusals.TooManyTests)


class _Scope:
    """The webhooks of one organization, or of all of them (`everywhere`)."""

    def __init__(self, everywhere: bool) -> None:
        self.everywhere = everywhere
        self.webhook = WEBHOOK | {"organization": None} if everywhere else WEBHOOK

    def operation(
        self,
        name: str,
        summary: str,
        answers: Mapping[int, OpenApiResponse],
        *errors: ErrorExample,
        **options: Any,
    ) -> Decorator:
        """Return the decorator of an operation; `name` in the plural or singular of a webhook."""
        last = "InstallationW" if self.everywhere else "W"
        whose = " (administrators)" if self.everywhere else ""
        found = () if self.everywhere else (ORGANIZATION_NOT_FOUND,)
        return extend_schema(
            operation_id=name.replace("W", last, 1),
            summary=summary + whose,
            tags=TAGS,
            responses={**answers, **error_responses(*errors, *found)},
            **options,
        )

    @property
    def editors_only(self) -> tuple[ErrorExample, ...]:
        return (SUPERUSERS_ONLY if self.everywhere else OWNERS_ONLY, READERS_ONLY)

    @property
    def managers_only(self) -> ErrorExample:
        return SUPERUSERS_ONLY if self.everywhere else OWNERS_ONLY

    @property
    def operators_only(self) -> ErrorExample:
        return SUPERUSERS_ONLY if self.everywhere else OPERATORS_ONLY

    @property
    def viewers(self) -> tuple[ErrorExample, ...]:
        return (SUPERUSERS_ONLY,) if self.everywhere else ()


def _one(serializer: Any, text: str, example: Json) -> OpenApiResponse:
    return example_response(serializer, text, {"success": True, **example})


def _endpoints(scope: _Scope) -> dict[str, Decorator]:
    """Return the decorators of lists and of making webhooks."""
    listed = {"results": [scope.webhook]}
    created = scope.webhook | {"secret": SECRET, "verifyToken": None}
    return {
        "list_webhooks": scope.operation(
            "listWebhooks",
            "The webhooks, with what waits for each; whole addresses for those who may change them",
            {200: example_response(responses.WebhookList, "The oldest first.", listed)},
            *scope.viewers,
        ),
        "create_webhook": scope.operation(
            "createWebhook",
            "Send the events of the log to an address. Owners, with a token that reads messages",
            {
                201: _one(
                    responses.CreatedWebhookSerializer, "Its secret is told only now.", created
                )
            },
            BAD_ADDRESS,
            NOT_VERIFIED,
            TOO_MANY_VERIFICATIONS,
            invalid('types.0: "message.exploded" is not a valid choice.'),
            *scope.editors_only,
            refusal(refusals.TooManyWebhooks),
            *BODY_ERRORS,
            request=NewWebhook,
            examples=[
                example_request({"url": URL}, "all events from now on"),
                example_request(
                    {"url": URL, "types": ["message.received"], "fromSequence": 1},
                    "received messages, from the begin of the log",
                ),
            ],
        ),
    }


def _endpoint(scope: _Scope) -> dict[str, Decorator]:
    """Return the decorators of one webhook."""
    webhook, one = scope.webhook, responses.OneWebhookSerializer
    return {
        "read_webhook": scope.operation(
            "readWebhook",
            "A webhook, with what waits for it and why",
            {200: _one(one, "The webhook.", webhook)},
            *scope.viewers,
            NO_WEBHOOK,
        ),
        "change_webhook": scope.operation(
            "changeWebhook",
            "Change the address or the types of events, or pause it",
            {200: _one(one, "The webhook as it is now.", webhook | PAUSED)},
            BAD_ADDRESS,
            NOT_VERIFIED,
            TOO_MANY_VERIFICATIONS,
            *scope.editors_only,
            NO_WEBHOOK,
            *BODY_ERRORS,
            request=WebhookChange,
            examples=[
                example_request({"state": "paused"}, "pause it"),
                example_request({"url": URL, "types": []}, "another address, all events"),
            ],
        ),
        "delete_webhook": scope.operation(
            "deleteWebhook",
            "Delete a webhook and its deliveries",
            {204: OpenApiResponse(description="It is gone.")},
            scope.managers_only,
            NO_WEBHOOK,
        ),
        "enable_webhook": scope.operation(
            "enableWebhook",
            "Send again what waits, from the first event that was not taken",
            {200: _one(one, "It is enabled. Who enables it answers for it.", webhook)},
            NOT_VERIFIED,
            TOO_MANY_VERIFICATIONS,
            *scope.editors_only,
            NO_WEBHOOK,
            request=None,
        ),
        "rotate_secret": scope.operation(
            "rotateWebhookSecret",
            "Make a new secret. For 24 hours the old one signs, too",
            {
                200: _one(
                    responses.RotatedWebhookSerializer,
                    "The new secret is told only now.",
                    webhook | {"secret": SECRET, "oldSecretUntil": "2026-03-02T09:30:00+00:00"},
                )
            },
            *scope.editors_only,
            NO_WEBHOOK,
            request=None,
        ),
    }


def _repeats(scope: _Scope) -> dict[str, Decorator]:
    """Return the decorators of what is sent beside the new events."""
    delivery = responses.OneDeliverySerializer
    resent = NEW_DELIVERY | {"kind": "resend", "repeats": EARLIER}
    return {
        "test_webhook": scope.operation(
            "testWebhook",
            "Send a test event, once, also while it is paused",
            {202: _one(delivery, "It is sent now. `GET` the delivery to see the answer.", TEST)},
            scope.operators_only,
            NO_WEBHOOK,
            TOO_MANY_TESTS,
            request=None,
        ),
        "replay_events": scope.operation(
            "replayWebhookEvents",
            "Send events again since a sequence or a time, in order, beside the new ones",
            {
                202: example_response(
                    responses.ReplaysSerializer,
                    "They are sent, with the same ids; what was taken before arrives twice.",
                    REPLAYS,
                )
            },
            invalid("Give either fromSequence or fromTime."),
            refusal(refusals.UnknownEvents),
            refusal(refusals.ReplayRunning),
            scope.operators_only,
            NO_WEBHOOK,
            *BODY_ERRORS,
            request=ReplayEverywhereBody if scope.everywhere else ReplayBody,
            examples=[example_request({"fromTime": "2026-03-01T09:12:00Z"}, "since 09:12")],
        ),
        "resend_delivery": scope.operation(
            "resendWebhookDelivery",
            "Send an event once more, with the same id",
            {202: _one(delivery, "The new delivery, which names the old one.", resent)},
            scope.operators_only,
            NO_WEBHOOK,
            NO_DELIVERY,
            refusal(refusals.NotResendable),
            refusal(refusals.EventDeleted),
            TOO_MANY_TESTS,
            request=None,
        ),
    }


def _deliveries(scope: _Scope) -> dict[str, Decorator]:
    """Return the decorators of the log of deliveries."""
    return {
        "list_deliveries": scope.operation(
            "listWebhookDeliveries",
            "What became of each event at this webhook; given up: `state=dead`",
            {
                200: example_response(
                    responses.DeliveryPage,
                    "A page of them, the newest first. Kept for 30 days.",
                    {"next": None, "results": [DELIVERY]},
                )
            },
            invalid('state: "lost" is not a valid choice.'),
            *scope.viewers,
            NO_WEBHOOK,
            parameters=[DeliveryQuery],
        ),
        "read_delivery": scope.operation(
            "readWebhookDelivery",
            "A delivery with every attempt; event and answers for those who read messages",
            {
                200: example_response(
                    responses.WholeDeliverySerializer, "The delivery.", WHOLE_DELIVERY
                )
            },
            *scope.viewers,
            NO_WEBHOOK,
            NO_DELIVERY,
        ),
    }


def _all(everywhere: bool) -> dict[str, Decorator]:
    scope = _Scope(everywhere)
    return {**_endpoints(scope), **_endpoint(scope), **_repeats(scope), **_deliveries(scope)}


ORGANIZATION, EVERYWHERE = _all(everywhere=False), _all(everywhere=True)
