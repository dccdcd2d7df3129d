"""`extend_schema` decorators of the views of what is kept, and of all of it as one file."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema

from messaging.api.schema_messages import READERS_ONLY
from organizations.api.schema import (
    BODY_ERRORS,
    ORGANIZATION_NOT_FOUND,
    OWNERS_ONLY,
    ErrorExample,
    error_responses,
    example_request,
    example_response,
    invalid,
)
from removal.api.serializers import ArchiveBody, RetentionBody, RetentionSerializer
from removal.archive import CONTENT_TYPE
from removal.refusals import (
    DELETES_AT_ONCE,
    HISTORY_TOO_SHORT,
    REASON_MISSING,
)
from removal.retention import SHORTEST_HISTORY_DAYS

TAGS = ["organizations"]
RETENTION = {
    "messageDays": 90,
    "mediaDays": 30,
    "deliveryDays": None,
    "historyDays": None,
    "inEffect": {"messageDays": 90, "mediaDays": 30, "deliveryDays": 7, "historyDays": 365},
}

read_retention = extend_schema(
    operation_id="readRetention",
    summary="For how many days things are kept",
    tags=TAGS,
    responses={
        200: example_response(RetentionSerializer, "The days.", RETENTION),
        **error_responses(ORGANIZATION_NOT_FOUND),
    },
)
change_retention = extend_schema(
    operation_id="changeRetention",
    summary="Change for how many days things are kept",
    description=(
        "What is older is deleted for good, a part at a time every few minutes. If there is any "
        "already, the answer is 409 and says how much; `deleteOlder` confirms it. What waits to be "
        "sent and the audit are never deleted."
    ),
    tags=TAGS,
    request=RetentionBody,
    examples=[example_request({"messageDays": 90, "mediaDays": 30, "deleteOlder": True})],
    responses={
        200: example_response(RetentionSerializer, "The days from now on.", RETENTION),
        **error_responses(
            invalid(f"historyDays: {HISTORY_TOO_SHORT.format(days=SHORTEST_HISTORY_DAYS)}"),
            ErrorExample(409, "conflict", DELETES_AT_ONCE.format(found="messages: 1204")),
            OWNERS_ONLY,
            ORGANIZATION_NOT_FOUND,
            *BODY_ERRORS,
        ),
    },
)
download_archive = extend_schema(
    operation_id="downloadArchive",
    summary="All data of an organization as a ZIP file",
    description=(
        "Messages, people, media files, feed, history, audit, members and webhooks, without "
        "credentials, tokens or passwords. It is made while it is sent: a file that was cut off is "
        "refused by programs that unpack it. Whoever downloads it stands in the audit."
    ),
    tags=TAGS,
    request=ArchiveBody,
    examples=[
        example_request({}, "an owner"),
        example_request({"reason": "The customer leaves"}, "an administrator"),
    ],
    responses={
        (200, CONTENT_TYPE): OpenApiResponse(
            OpenApiTypes.BINARY,
            "The file. `README.txt` in it says what is what.",
            [OpenApiExample("answer", "PK…")],
        ),
        **error_responses(
            invalid(f"reason: {REASON_MISSING}"),
            OWNERS_ONLY,
            READERS_ONLY,
            ORGANIZATION_NOT_FOUND,
            *BODY_ERRORS,
        ),
    },
)
