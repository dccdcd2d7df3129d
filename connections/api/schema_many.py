"""`extend_schema` decorators of the views of owners' links and of many organizations."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiResponse, extend_schema

from connections.api.schema import (
    ALREADY_CONNECTED,
    BANNED,
    INACTIVE,
    OPERATORS_ONLY,
    TAGS,
    refusal,
)
from connections.api.serializers_many import (
    LinkOutcomesSerializer,
    ManyLinksSerializer,
    ManySerializer,
    OwnerLinkBodySerializer,
    OwnerLinkSerializer,
    ReconnectOutcomesSerializer,
)
from connections.refusals import TooManyOwnerLinks
from organizations.api.schema import (
    BODY_ERRORS,
    ORGANIZATION_NOT_FOUND,
    error_responses,
    example_request,
    example_response,
    invalid,
)

URL = "https://whatsapp.example.com/link/#0123456789abcdef0123456789abcdef01234567"
EXPIRES_AT = "2026-03-01T09:30:00+00:00"
TOO_LONG = invalid("expiresIn: Ensure this value is less than or equal to 259200.")
TOO_MANY = invalid("organizations: Ensure this field has no more than 100 elements.")

make_owner_link = extend_schema(
    operation_id="makeOwnerLink",
    summary="Make a link for the phone's owner; the one before is revoked",
    tags=TAGS,
    request=OwnerLinkBodySerializer,
    examples=[example_request({"expiresIn": 3600})],
    responses={
        201: example_response(
            OwnerLinkSerializer,
            "The link. It is shown only this once.",
            {"success": True, "url": URL, "expiresAt": EXPIRES_AT},
        ),
        **error_responses(
            TOO_LONG,
            OPERATORS_ONLY,
            ORGANIZATION_NOT_FOUND,
            ALREADY_CONNECTED,
            INACTIVE,
            BANNED,
            refusal(lambda: TooManyOwnerLinks(120)),
            *BODY_ERRORS,
        ),
    },
)
revoke_owner_link = extend_schema(
    operation_id="revokeOwnerLink",
    summary="Revoke the link for the phone's owner, and end its pairing",
    tags=TAGS,
    responses={
        204: OpenApiResponse(description="No link is open any more."),
        **error_responses(OPERATORS_ONLY, ORGANIZATION_NOT_FOUND),
    },
)
reconnect_many = extend_schema(
    operation_id="reconnectMany",
    summary="Reconnect many organizations with their saved logins",
    tags=TAGS,
    request=ManySerializer,
    examples=[example_request({"organizations": [1, 2]})],
    responses={
        200: example_response(
            ReconnectOutcomesSerializer,
            "An outcome for each, in the order of the request.",
            {
                "success": True,
                "results": [
                    {
                        "organization": 1,
                        "outcome": "requested",
                        "message": "Reconnecting has begun.",
                    },
                    {
                        "organization": 2,
                        "outcome": "needs_phone",
                        "message": "Nothing saved can be used, so its phone has to scan a code.",
                    },
                ],
            },
        ),
        **error_responses(TOO_MANY, *BODY_ERRORS),
    },
)
make_owner_links = extend_schema(
    operation_id="makeOwnerLinks",
    summary="Make links for the owners of many phones",
    tags=TAGS,
    request=ManyLinksSerializer,
    examples=[example_request({"organizations": [1, 2], "expiresIn": 86400})],
    responses={
        200: example_response(
            LinkOutcomesSerializer,
            "An outcome for each, in the order of the request. Links are shown only this once.",
            {
                "success": True,
                "results": [
                    {
                        "organization": 1,
                        "outcome": "made",
                        "message": "",
                        "url": URL,
                        "expiresAt": EXPIRES_AT,
                    },
                    {
                        "organization": 2,
                        "outcome": "already_connected",
                        "message": ALREADY_CONNECTED.message,
                    },
                ],
            },
        ),
        **error_responses(TOO_LONG, TOO_MANY, *BODY_ERRORS),
    },
)
