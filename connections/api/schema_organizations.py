"""`extend_schema` decorators of the views of organizations."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiResponse, extend_schema

from connections.api.organization_serializers import (
    ConnectedOrganizationSerializer,
    OrganizationPage,
    OrganizationQuery,
)
from organizations.api.schema import (
    BAD_PAGE,
    BODY_ERRORS,
    NO_PAGE,
    ORGANIZATION,
    ORGANIZATION_NOT_FOUND,
    OWNERS_ONLY,
    SUPERUSERS_ONLY,
    error_responses,
    example_page,
    example_request,
    example_response,
    invalid,
)
from organizations.api.serializers import NewOrganization, OrganizationChange
from organizations.phone_numbers import FOREIGN, INVALID

CONNECTED = ORGANIZATION | {
    "number": "5511987654321",
    "state": "connected",
    "reason": "linked",
    "since": "2026-03-01T10:02:11+00:00",
    "phoneSilence": None,
}

BAD_STATE = invalid('state: "up" is not a valid choice.')
BAD_NAME = invalid("name: Ensure this field has no more than 200 characters.")
BAD_NUMBER = invalid(f"expectedNumber: {INVALID}")
FOREIGN_NUMBER = invalid(f"expectedNumber: {FOREIGN.format(part='ext')}")

TAGS = ["organizations"]
CHANGED = {
    200: example_response(
        ConnectedOrganizationSerializer, "The organization as it is now.", CONNECTED
    )
}
CHANGE_ERRORS = error_responses(
    BAD_NAME,
    BAD_NUMBER,
    FOREIGN_NUMBER,
    OWNERS_ONLY,
    SUPERUSERS_ONLY,
    ORGANIZATION_NOT_FOUND,
    *BODY_ERRORS,
)

list_organizations = extend_schema(
    operation_id="listOrganizations",
    summary="The organizations that you see",
    tags=TAGS,
    parameters=[OrganizationQuery],
    responses={
        200: example_response(OrganizationPage, "A page of them.", example_page(CONNECTED)),
        **error_responses(BAD_PAGE, BAD_STATE, NO_PAGE),
    },
)
create_organization = extend_schema(
    operation_id="createOrganization",
    summary="Make an organization (administrators)",
    tags=TAGS,
    request=NewOrganization,
    examples=[
        example_request({"name": "Padaria Estrela", "expectedNumber": "+5511987654321"}),
    ],
    responses={
        201: example_response(
            ConnectedOrganizationSerializer,
            "The new organization.",
            CONNECTED | {"number": None, "state": "disconnected", "reason": "never_connected"},
        ),
        **error_responses(BAD_NAME, BAD_NUMBER, FOREIGN_NUMBER, SUPERUSERS_ONLY, *BODY_ERRORS),
    },
)
read_organization = extend_schema(
    operation_id="readOrganization",
    summary="One organization",
    tags=TAGS,
    responses={**CHANGED, **error_responses(ORGANIZATION_NOT_FOUND)},
)
replace_organization = extend_schema(
    operation_id="replaceOrganization",
    summary="Give it a name and an expected number (owners), activate or deactivate it "
    "(administrators)",
    tags=TAGS,
    request=OrganizationChange,
    examples=[
        example_request(
            {"name": "Padaria Estrela", "expectedNumber": "+5511987654321", "isActive": True}
        ),
    ],
    responses={**CHANGED, **CHANGE_ERRORS},
)
change_organization = extend_schema(
    operation_id="changeOrganization",
    summary="Change what is named: name, expected number (owners), whether it is active "
    "(administrators)",
    tags=TAGS,
    request=OrganizationChange,
    examples=[
        example_request({"expectedNumber": "+5511987654321"}),
        example_request({"expectedNumber": "00 52 55 1234-5678"}, "a number as people write it"),
        example_request(
            {"expectedNumber": "5215512345678"}, "a number in the spelling of WhatsApp"
        ),
        example_request({"expectedNumber": None}, "any phone may be linked"),
    ],
    responses={**CHANGED, **CHANGE_ERRORS},
)
deactivate_organization = extend_schema(
    operation_id="deactivateOrganization",
    summary="Deactivate it; its connection rests, its credentials are kept (administrators)",
    tags=TAGS,
    responses={
        204: OpenApiResponse(description="It is inactive, or was already."),
        **error_responses(SUPERUSERS_ONLY, ORGANIZATION_NOT_FOUND),
    },
)
