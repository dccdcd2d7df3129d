"""`extend_schema` decorators of the views of tokens."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiResponse, extend_schema

from organizations import access
from organizations.api.schema import (
    BAD_PAGE,
    BODY_ERRORS,
    NO_PAGE,
    ORGANIZATION_NOT_FOUND,
    OWNERS_ONLY,
    TOKEN_OWNERS_ONLY,
    ErrorExample,
    error_responses,
    example_page,
    example_request,
    example_response,
    forbidden,
    invalid,
)
from organizations.api.serializers import NewToken, PageQuery, TokenPage, TokenWithText

TOKEN = {
    "id": "3f2b8c1e-5f0a-4b0e-9a3b-6c1d2e3f4a5b",
    "name": "billing system",
    "prefix": "wao_1a2b3c4d5e6",
    "kind": "rest",
    "scope": "manage",
    "messageScopes": ["messages:send"],
    "createdAt": "2026-03-01T09:30:00Z",
    "expiresAt": "2027-03-01T00:00:00Z",
    "lastUsedAt": None,
    "revokedAt": None,
    "createdBy": "alice",
}
NEW_TOKEN = {
    "name": "billing system",
    "scope": "manage",
    "messageScopes": ["messages:send"],
    "expiresAt": "2027-03-01T00:00:00Z",
}

BAD_EXPIRY = invalid("expiresAt: In the future, and within ten years.")
INCOMPLETE = invalid(
    "kind: A token of the Cloud API needs an organization, a right to messages and an expiry."
)
OUTLIVES = invalid("expiresAt: A token makes none that outlives it.")
SCOPE_NOT_HELD = forbidden(access.SCOPE_NOT_HELD)
NO_TOKEN = ErrorExample(404, "not_found", "There is no such token.")

TAGS = ["tokens"]
TOKENS = {
    200: example_response(TokenPage, "A page of them, the newest first.", example_page(TOKEN))
}
CREATED = {
    201: example_response(
        TokenWithText,
        "The token. Its text is told only now.",
        TOKEN | {"token": "wao_1a2b3c4d5e6… (told only now)"},
    )
}
REVOKED = {204: OpenApiResponse(description="It opens nothing any more.")}

list_organization_tokens = extend_schema(
    operation_id="listOrganizationTokens",
    summary="The organization's own tokens, without their secrets (owners)",
    tags=TAGS,
    parameters=[PageQuery],
    responses={
        **TOKENS,
        **error_responses(BAD_PAGE, OWNERS_ONLY, ORGANIZATION_NOT_FOUND, NO_PAGE),
    },
)
create_organization_token = extend_schema(
    operation_id="createOrganizationToken",
    summary="Make a token for this organization alone (owners)",
    tags=TAGS,
    request=NewToken,
    examples=[example_request(NEW_TOKEN)],
    responses={
        **CREATED,
        **error_responses(
            *(
                BAD_EXPIRY,
                INCOMPLETE,
                OUTLIVES,
                OWNERS_ONLY,
                SCOPE_NOT_HELD,
                ORGANIZATION_NOT_FOUND,
            ),
            *BODY_ERRORS,
        ),
    },
)
revoke_organization_token = extend_schema(
    operation_id="revokeOrganizationToken",
    summary="Revoke one of the organization's tokens (owners)",
    tags=TAGS,
    responses={**REVOKED, **error_responses(OWNERS_ONLY, ORGANIZATION_NOT_FOUND, NO_TOKEN)},
)
list_own_tokens = extend_schema(
    operation_id="listOwnTokens",
    summary="Your own tokens, without their secrets",
    tags=TAGS,
    parameters=[PageQuery],
    responses={**TOKENS, **error_responses(BAD_PAGE, TOKEN_OWNERS_ONLY, NO_PAGE)},
)
create_own_token = extend_schema(
    operation_id="createOwnToken",
    summary="Make a token that stands for you in all your organizations",
    tags=TAGS,
    request=NewToken,
    examples=[example_request(NEW_TOKEN)],
    responses={
        **CREATED,
        **error_responses(
            *(BAD_EXPIRY, INCOMPLETE, OUTLIVES, TOKEN_OWNERS_ONLY, SCOPE_NOT_HELD),
            *BODY_ERRORS,
        ),
    },
)
revoke_own_token = extend_schema(
    operation_id="revokeOwnToken",
    summary="Revoke one of your own tokens",
    tags=TAGS,
    responses={**REVOKED, **error_responses(TOKEN_OWNERS_ONLY, NO_TOKEN)},
)
