"""`extend_schema` decorators of the views of removals."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema

from organizations.api.schema import (
    BODY_ERRORS,
    ORGANIZATION_NOT_FOUND,
    SUPERUSERS_ONLY,
    ErrorExample,
    error_responses,
    example_request,
    example_response,
    invalid,
)
from organizations.audit_labels import CONTENT_LABELS
from removal.api.serializers import (
    ContentsSerializer,
    DecideLogoutBody,
    RemovalSerializer,
    StartRemovalBody,
)
from removal.refusals import LOGOUT_IS_OVER, WRONG_NAME

TAGS = ["organizations"]
COUNTS = dict.fromkeys(CONTENT_LABELS, 0) | {"messages": 1204, "media": 33, "members": 2}
REMOVAL = {
    "organization": 1,
    "name": "Padaria Estrela",
    "state": "logging_out",
    "problem": None,
    "logout": "pending",
    "waitForLogout": True,
    "requestedAt": "2026-03-01T09:30:00Z",
    "requestedBy": "root",
    "finishedAt": None,
    "deleted": dict.fromkeys(CONTENT_LABELS, 0),
    "mediaBytesDeleted": 0,
}
REMOVAL_NOT_FOUND = ErrorExample(404, "not_found", "Organization not found.")

read_contents = extend_schema(
    operation_id="readOrganizationContents",
    summary="What the removal of an organization would delete (administrators)",
    tags=TAGS,
    responses={
        200: example_response(
            ContentsSerializer,
            "What there is now.",
            {"counts": COUNTS, "mediaBytes": 5_242_880, "isLinked": True},
        ),
        **error_responses(SUPERUSERS_ONLY, ORGANIZATION_NOT_FOUND),
    },
)
start_removal = extend_schema(
    operation_id="removeOrganization",
    summary="Remove an organization for good (administrators)",
    description=(
        "Nobody sees the organization from then on: every address below it answers 404. A worker "
        "logs its device out at WhatsApp, and deletes its credentials, messages, media files, "
        "feed, history, webhooks, tokens and members, bit by bit. The audit stays. Export first "
        "what is to be kept: there is no way back."
    ),
    tags=TAGS,
    request=StartRemovalBody,
    examples=[example_request({"name": "Padaria Estrela"})],
    responses={
        202: example_response(RemovalSerializer, "It is being removed.", REMOVAL),
        **error_responses(
            invalid(f"name: {WRONG_NAME}"), SUPERUSERS_ONLY, ORGANIZATION_NOT_FOUND, *BODY_ERRORS
        ),
    },
)
read_removal = extend_schema(
    operation_id="readRemoval",
    summary="How far a removal has come (administrators)",
    tags=TAGS,
    responses={
        200: example_response(RemovalSerializer, "The removal, also of one that is over.", REMOVAL),
        **error_responses(SUPERUSERS_ONLY, REMOVAL_NOT_FOUND),
    },
)
decide_logout = extend_schema(
    operation_id="decideLogoutOfRemoval",
    summary="Try the logout of a removal again now, or for the last time (administrators)",
    tags=TAGS,
    request=DecideLogoutBody,
    examples=[
        example_request({"waitForLogout": False}, "remove it, even if WhatsApp does not answer")
    ],
    responses={
        202: example_response(RemovalSerializer, "The logout is tried.", REMOVAL),
        **error_responses(
            ErrorExample(409, "conflict", LOGOUT_IS_OVER),
            SUPERUSERS_ONLY,
            REMOVAL_NOT_FOUND,
            *BODY_ERRORS,
        ),
    },
)
