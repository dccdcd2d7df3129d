"""`extend_schema` decorators of the views of all that is stored of people."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema

from messaging import refusals
from messaging.api import schema_responses as responses
from messaging.api.schema_messages import READERS_ONLY, refusal
from messaging.api.serializers import SEVERAL_PEOPLE, EraseContactSerializer
from messaging.export import CONTENT_TYPE
from organizations.api.schema import (
    BODY_ERRORS,
    ORGANIZATION_NOT_FOUND,
    OWNERS_ONLY,
    error_responses,
    example_request,
    example_response,
    invalid,
)

TAGS = ["messages"]

erase_contact = extend_schema(
    operation_id="eraseContact",
    summary="Erase everything of one person",
    description=(
        "Messages to them that wait are cancelled. Then the texts, files, number, LID and name are "
        "erased, also in the feed. Messages stay as rows with states and times alone."
    ),
    tags=TAGS,
    request=EraseContactSerializer,
    examples=[example_request({"contact": "+5511987654321"})],
    responses={
        200: example_response(
            responses.CountSerializer, "It is erased.", {"success": True, "count": 14}
        ),
        **error_responses(
            invalid(f"contact: {SEVERAL_PEOPLE}"),
            refusal(refusals.UnknownContact),
            OWNERS_ONLY,
            READERS_ONLY,
            ORGANIZATION_NOT_FOUND,
            *BODY_ERRORS,
        ),
    },
)
export_messages = extend_schema(
    operation_id="exportMessages",
    summary="Everything that is stored of messages and people",
    description=(
        "Lines of JSON, each with a `kind`: `organization`; `contact`, `media` and `message` as "
        "other operations return them; at last `end`, with how many there are of each. Without "
        "that line the answer was cut off."
    ),
    tags=TAGS,
    responses={
        (200, CONTENT_TYPE): OpenApiResponse(
            OpenApiTypes.BINARY,
            "One JSON object in each line.",
            [OpenApiExample("answer", '{"kind":"organization","id":7,"name":"Padaria"}\n…')],
        ),
        **error_responses(OWNERS_ONLY, READERS_ONLY, ORGANIZATION_NOT_FOUND),
    },
)
