"""`extend_schema` decorators of the views of test messages."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema

from connections import self_test_texts
from connections.api.schema import OPERATORS_ONLY, TAGS, refusal
from connections.api.schema_responses import BegunSerializer, DoneSerializer, SelfTestSerializer
from connections.refusals import NotConnected, TooManySelfTests
from organizations.api.schema import (
    ORGANIZATION_NOT_FOUND,
    ErrorExample,
    error_responses,
    example_response,
)

send_test_message = extend_schema(
    operation_id="sendTestMessage",
    summary="Send a test message to the linked number itself",
    tags=TAGS,
    request=None,
    responses={
        200: example_response(
            DoneSerializer,
            "WhatsApp took the message.",
            {"success": True, "message": self_test_texts.SENT},
        ),
        202: example_response(
            BegunSerializer,
            "It takes longer. Read the outcome after `Retry-After` seconds.",
            {"message": self_test_texts.SENDING, "retryIn": 3000},
        ),
        **error_responses(
            OPERATORS_ONLY,
            ORGANIZATION_NOT_FOUND,
            refusal(NotConnected),
            refusal(lambda: TooManySelfTests(30)),
            *(
                ErrorExample(503, failure.value, text)
                for failure, text in self_test_texts.FAILED.items()
            ),
        ),
    },
)
read_test_message = extend_schema(
    operation_id="readTestMessage",
    summary="What came of the newest test message",
    tags=TAGS,
    responses={
        200: example_response(
            SelfTestSerializer,
            "The newest one of the number that is linked now; `null` if there is none.",
            {
                "success": True,
                "test": {
                    "state": "sent",
                    "sentence": self_test_texts.SENT,
                    "at": "2026-03-01T09:30:00+00:00",
                    "by": "alice",
                },
            },
        ),
        **error_responses(ORGANIZATION_NOT_FOUND),
    },
)
