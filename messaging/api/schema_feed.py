"""`extend_schema` decorator of the view of the feed."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema

from messaging.api import schema_responses as responses
from messaging.api.schema_messages import AT, ID, READERS_ONLY, RECEIVED
from messaging.api.serializers import UNKNOWN_EVENT, FeedQuery
from organizations.api.schema import (
    ORGANIZATION_NOT_FOUND,
    error_responses,
    example_response,
    invalid,
)

TAGS = ["messages"]

read_feed = extend_schema(
    operation_id="readFeed",
    summary="The numbered events of the organization, after a cursor; waits for the next one",
    tags=TAGS,
    parameters=[FeedQuery],
    responses={
        200: example_response(
            responses.FeedSerializer,
            "Events in their order. Ask again with `after` = `next`; reading removes nothing.",
            {
                "events": [
                    {
                        "sequence": 41,
                        "type": "message.received",
                        "at": AT,
                        "data": {
                            "id": ID,
                            "whatsappId": "3EB0C767D097E9ECFE8B4A",
                            "from": RECEIVED["contact"],
                            "type": "text",
                            "text": {"body": "Olá! Vocês abrem hoje?"},
                            "context": None,
                            "group": None,
                            "at": AT,
                        },
                    },
                    {
                        "sequence": 42,
                        "type": "message.status",
                        "at": AT,
                        "data": {
                            "id": "k0Yd1QmJ3wS8oF2bTzRxLw",
                            "state": "delivered",
                            "reason": None,
                            "waId": "5511987654321",
                            "whatsappId": "3EB0A1B2C3D4E5F60718",
                            "at": AT,
                        },
                    },
                ],
                "next": 42,
            },
        ),
        **error_responses(
            invalid("after: There is no event 99 yet; the newest is 42."),
            invalid(f"types: {UNKNOWN_EVENT.format(type='message.exploded')}"),
            invalid("wait: Ensure this value is less than or equal to 25."),
            READERS_ONLY,
            ORGANIZATION_NOT_FOUND,
        ),
    },
)
