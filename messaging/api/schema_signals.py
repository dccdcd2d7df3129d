"""`extend_schema` decorators of the views of read marks and typing."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema

from messaging import refusals
from messaging.api import schema_responses as responses
from messaging.api.schema_messages import NO_MESSAGE, SENDERS_ONLY, refusal
from messaging.api.serializers import SEVERAL_PEOPLE, ReadSerializer, TypingSerializer
from organizations.api.schema import (
    BODY_ERRORS,
    ORGANIZATION_NOT_FOUND,
    error_responses,
    example_request,
    example_response,
    invalid,
)

TAGS = ["messages"]
DONE = {"success": True}

mark_read = extend_schema(
    operation_id="markRead",
    summary="Mark a received message, and the older ones of its chat, as read",
    tags=TAGS,
    request=ReadSerializer,
    examples=[example_request({"played": False})],
    responses={
        200: example_response(
            responses.SuccessSerializer, "WhatsApp is told as soon as it is connected.", DONE
        ),
        **error_responses(
            refusal(refusals.NotReceived),
            SENDERS_ONLY,
            ORGANIZATION_NOT_FOUND,
            NO_MESSAGE,
            *BODY_ERRORS,
        ),
    },
)
show_typing = extend_schema(
    operation_id="showTyping",
    summary="Show a person that an answer is being written, or no more",
    tags=TAGS,
    request=TypingSerializer,
    examples=[example_request({"to": "+5511987654321", "typing": True})],
    responses={
        200: example_response(
            responses.SuccessSerializer,
            "They see it if the number is connected now; WhatsApp forgets it after some seconds.",
            DONE,
        ),
        **error_responses(
            invalid(f"to: {SEVERAL_PEOPLE}"),
            refusal(refusals.UnknownContact),
            SENDERS_ONLY,
            ORGANIZATION_NOT_FOUND,
            *BODY_ERRORS,
        ),
    },
)
