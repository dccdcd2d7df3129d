"""`extend_schema` decorator of the view of an organization's history."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema

from connections.api.schema import TAGS
from connections.api.schema_responses import BAD_CURSOR, EventQuery, EventsSerializer
from connections.lifecycle import Reason
from connections.reason_texts import REASON_TEXTS
from organizations.api.schema import (
    ORGANIZATION_NOT_FOUND,
    error_responses,
    example_response,
    invalid,
)

list_events = extend_schema(
    operation_id="listEvents",
    summary="What happened, and who did what from where",
    tags=TAGS,
    parameters=[EventQuery],
    responses={
        200: example_response(
            EventsSerializer,
            "A page of the history, the newest line first.",
            {
                "next": None,
                "results": [
                    {
                        "id": "connection-12",
                        "at": "2026-03-01T09:30:00+00:00",
                        "kind": "connection",
                        "event": "reconnect_requested",
                        "state": "connecting",
                        "stateBefore": "disconnected",
                        "reason": "requested",
                        "sentence": REASON_TEXTS[Reason.REQUESTED].english,
                        "detail": "",
                        "actor": "alice",
                        "address": "192.0.2.7",
                        "attempt": None,
                    }
                ],
            },
        ),
        **error_responses(invalid(f"cursor: {BAD_CURSOR}"), ORGANIZATION_NOT_FOUND),
    },
)
