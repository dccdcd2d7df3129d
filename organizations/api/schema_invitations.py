"""`extend_schema` decorators of the views of invitations."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiResponse, extend_schema

from organizations.api.schema import (
    BAD_PAGE,
    NO_PAGE,
    ORGANIZATION,
    ORGANIZATION_NOT_FOUND,
    OWNERS_ONLY,
    TOKEN_OWNERS_ONLY,
    ErrorExample,
    error_responses,
    example_page,
    example_response,
)
from organizations.api.schema_members import INVITATION
from organizations.api.serializers import (
    InvitationPage,
    OrganizationSerializer,
    PageQuery,
    ReceivedInvitationPage,
)

RECEIVED = {
    "id": INVITATION["id"],
    "organization": "Padaria Estrela",
    **{name: INVITATION[name] for name in ("role", "invitedBy", "invitedAt", "expiresAt")},
}
NO_INVITATION = ErrorExample(404, "not_found", "There is no such invitation.")

TAGS = ["invitations"]

list_invitations = extend_schema(
    operation_id="listInvitations",
    summary="The open invitations to it (owners); a declined one is among them until it expires",
    tags=TAGS,
    parameters=[PageQuery],
    responses={
        200: example_response(
            InvitationPage, "A page of them, the newest first.", example_page(INVITATION)
        ),
        **error_responses(BAD_PAGE, OWNERS_ONLY, ORGANIZATION_NOT_FOUND, NO_PAGE),
    },
)
withdraw_invitation = extend_schema(
    operation_id="withdrawInvitation",
    summary="Withdraw an invitation (owners)",
    tags=TAGS,
    responses={
        204: OpenApiResponse(description="It is open no more, or never was."),
        **error_responses(OWNERS_ONLY, ORGANIZATION_NOT_FOUND),
    },
)
list_received_invitations = extend_schema(
    operation_id="listReceivedInvitations",
    summary="The invitations that wait for your answer",
    tags=TAGS,
    parameters=[PageQuery],
    responses={
        200: example_response(
            ReceivedInvitationPage, "A page of them, the newest first.", example_page(RECEIVED)
        ),
        **error_responses(BAD_PAGE, TOKEN_OWNERS_ONLY, NO_PAGE),
    },
)
accept_invitation = extend_schema(
    operation_id="acceptInvitation",
    summary="Become a member of the organization that invites you",
    tags=TAGS,
    request=None,
    responses={
        200: example_response(
            OrganizationSerializer,
            "The organization. `role` says what you may do there now.",
            ORGANIZATION | {"role": INVITATION["role"]},
        ),
        **error_responses(TOKEN_OWNERS_ONLY, NO_INVITATION),
    },
)
decline_invitation = extend_schema(
    operation_id="declineInvitation",
    summary="Decline an invitation; owners of the organization are not told",
    tags=TAGS,
    request=None,
    responses={
        204: OpenApiResponse(description="You are not asked again, unless you are invited again."),
        **error_responses(TOKEN_OWNERS_ONLY, NO_INVITATION),
    },
)
