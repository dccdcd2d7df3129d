"""`extend_schema` decorators of the views of read marks and typing."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema

from messaging import refusals
from messaging.api import schema_responses as responses
from messaging.api import serializers
from messaging.api.schema_messages import NO_MESSAGE, SENDERS_ONLY, TAGS, refusal
from organizations.api.schema import (
    BODY_ERRORS,
    ORGANIZATION_NOT_FOUND,
    error_responses,
    example_request,
    example_response,
    invalid,
)
from organizations.phone_numbers import INVALID

DONE = {"success": True}

mark_read = extend_schema(
    operation_id="markRead",
    summary="Mark a received message, and the older ones of its chat, as read",
    description="WhatsApp is told as soon as the organization is connected.",
    tags=TAGS,
    request=serializers.ReadSerializer,
    examples=[example_request({}, "it was read"), example_request({"played": True}, "played")],
    responses={
        200: example_response(responses.SignalledSerializer, "It is marked.", DONE),
        **error_responses(
            SENDERS_ONLY,
            ORGANIZATION_NOT_FOUND,
            NO_MESSAGE,
            refusal(refusals.NotReceived),
            *BODY_ERRORS,
        ),
    },
)
show_typing = extend_schema(
    operation_id="showTyping",
    summary="Show a person that an answer is being written, or is not any more",
    description="Nothing is stored, and nobody is told while the organization is not connected. "
    "WhatsApp ends it by itself after some seconds.",
    tags=TAGS,
    request=serializers.TypingSerializer,
    examples=[example_request({"to": "+5511987654321"}, "typing")],
    responses={
        200: example_response(responses.SignalledSerializer, "It is passed on.", DONE),
        **error_responses(
            invalid(f"to: {INVALID}"),
            SENDERS_ONLY,
            ORGANIZATION_NOT_FOUND,
            refusal(refusals.UnknownRecipient),
            *BODY_ERRORS,
        ),
    },
)
