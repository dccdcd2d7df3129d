"""`extend_schema` decorators of the views of members."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema

from organizations import invitations
from organizations.actions import INACTIVE_USER
from organizations.api.schema import (
    BAD_PAGE,
    BODY_ERRORS,
    NO_PAGE,
    ORGANIZATION_NOT_FOUND,
    OWNERS_ONLY,
    SUPERUSERS_ONLY,
    ErrorExample,
    error_responses,
    example_page,
    example_request,
    example_response,
    invalid,
)
from organizations.api.serializers import (
    InvitationSerializer,
    LostRightQuery,
    MemberPage,
    MemberSerializer,
    NewMember,
    PageQuery,
    RoleChange,
)

MEMBER = {"id": 7, "username": "bob", "role": "operator"}
INVITATION = {
    "id": "0b8c0f4e-8f2d-4d3f-9c56-2f1f6c1f6a10",
    "username": "bob",
    "role": "operator",
    "invitedBy": "alice",
    "invitedAt": "2026-03-01T09:30:00Z",
    "expiresAt": "2026-03-15T09:30:00Z",
}

BAD_ROLE = invalid('role: "king" is not a valid choice.')
BAD_REVOKE = invalid("revokeTokens: Must be a valid boolean.")
NO_USER = invalid("username: There is no such user.")
INACTIVE = invalid(f"username: {INACTIVE_USER}")
NO_MEMBER = ErrorExample(404, "not_found", "There is no such member.")
ALREADY_MEMBER = ErrorExample(409, "already_member", invitations.ALREADY_A_MEMBER)
TOO_MANY_OPEN = ErrorExample(
    409,
    "too_many_invitations",
    invitations.TOO_MANY_OPEN.format(number=invitations.OPEN_PER_ORGANIZATION),
)
TOO_MANY_INVITATIONS = ErrorExample(
    429, "too_many_requests", str(invitations.TooManyInvitations(600))
)
LAST_OWNER = ErrorExample(
    409,
    "last_owner",
    "An organization with members keeps an active owner. Make someone else an owner first.",
)

TAGS = ["members"]
MEMBER_PATH = OpenApiParameter(
    "member",
    str,
    OpenApiParameter.PATH,
    description="A username, or a user's id (all digits).",
)

list_members = extend_schema(
    operation_id="listMembers",
    summary="Who belongs to it (owners)",
    tags=TAGS,
    parameters=[PageQuery],
    responses={
        200: example_response(MemberPage, "A page of them.", example_page(MEMBER)),
        **error_responses(BAD_PAGE, OWNERS_ONLY, ORGANIZATION_NOT_FOUND, NO_PAGE),
    },
)
set_member = extend_schema(
    operation_id="setMember",
    summary="Invite a user (owners), make one a member (administrators), or give a member this "
    "role",
    tags=TAGS,
    parameters=[LostRightQuery],
    request=NewMember,
    examples=[example_request({"username": "bob", "role": "operator"})],
    responses={
        201: example_response(
            MemberSerializer, "The new member, added by an administrator.", MEMBER
        ),
        200: example_response(MemberSerializer, "The member, who was one before.", MEMBER),
        202: example_response(
            InvitationSerializer,
            "Invited. An owner gets this answer whether there is such a user or not.",
            INVITATION,
        ),
        **error_responses(
            *(BAD_ROLE, NO_USER, INACTIVE, OWNERS_ONLY, SUPERUSERS_ONLY, ORGANIZATION_NOT_FOUND),
            *(LAST_OWNER, ALREADY_MEMBER, TOO_MANY_OPEN, TOO_MANY_INVITATIONS),
            *BODY_ERRORS,
        ),
    },
)
change_member = extend_schema(
    operation_id="changeMember",
    summary="Give a member another role (owners)",
    tags=TAGS,
    parameters=[LostRightQuery, MEMBER_PATH],
    request=RoleChange,
    examples=[example_request({"role": "operator"})],
    responses={
        200: example_response(MemberSerializer, "The member as they are now.", MEMBER),
        **error_responses(
            *(BAD_ROLE, OWNERS_ONLY, ORGANIZATION_NOT_FOUND, NO_MEMBER, LAST_OWNER),
            *BODY_ERRORS,
        ),
    },
)
remove_member = extend_schema(
    operation_id="removeMember",
    summary="Take a member's place away (owners)",
    tags=TAGS,
    parameters=[LostRightQuery, MEMBER_PATH],
    responses={
        204: OpenApiResponse(description="They are no member now, or never were."),
        **error_responses(BAD_REVOKE, OWNERS_ONLY, ORGANIZATION_NOT_FOUND, LAST_OWNER),
    },
)
