"""The operations of organizations, members and tokens, as the OpenAPI document tells them."""

from __future__ import annotations

from typing import Any

from organizations import invitations
from organizations.access import NO_SUPERUSER, NOT_YOUR_TOKENS, REFUSALS, Ability
from organizations.actions import INACTIVE_USER
from organizations.openapi import (
    UNKNOWN,
    Answer,
    PathParameter,
    Problem,
    invalid,
    operation,
    refused,
)
from organizations.phone_numbers import FOREIGN, INVALID
from organizations.serializers import (
    InvitationSerializer,
    LostRightQuery,
    MemberPage,
    MemberSerializer,
    NewMember,
    NewOrganization,
    NewToken,
    OrganizationChange,
    OrganizationPage,
    OrganizationQuery,
    OrganizationSerializer,
    PageQuery,
    RoleChange,
    TokenPage,
    TokenWithText,
)

ORGANIZATION = {
    "id": 1,
    "name": "Padaria Estrela",
    "expectedNumber": "+5511987654321",
    "createdAt": "2026-03-01T09:30:00Z",
    "isActive": True,
    "role": "owner",
}
MEMBER = {"id": 7, "username": "bob", "role": "operator"}
INVITATION = {
    "id": "0b8c0f4e-8f2d-4d3f-9c56-2f1f6c1f6a10",
    "username": "bob",
    "role": "operator",
    "invitedBy": "alice",
    "invitedAt": "2026-03-01T09:30:00Z",
    "expiresAt": "2026-03-15T09:30:00Z",
}
TOKEN = {
    "id": "3f2b8c1e-5f0a-4b0e-9a3b-6c1d2e3f4a5b",
    "name": "billing system",
    "prefix": "wao_1a2b3c4d5e6",
    "scope": "manage",
    "createdAt": "2026-03-01T09:30:00Z",
    "expiresAt": "2027-03-01T00:00:00Z",
    "lastUsedAt": None,
    "revokedAt": None,
    "createdBy": "alice",
}
NEW_TOKEN = {"name": "billing system", "scope": "manage", "expiresAt": "2027-03-01T00:00:00Z"}
NEW_TOKEN_TOLD = TOKEN | {"token": "wao_1a2b3c4d5e6… (told only now)"}


def page(row: dict[str, Any]) -> dict[str, Any]:
    """A page with this row alone."""
    return {"count": 1, "next": None, "previous": None, "results": [row]}


OWNERS_ONLY = refused(REFUSALS[Ability.MANAGE])
SUPERUSERS_ONLY = refused(NO_SUPERUSER)
HOLDERS_ONLY = refused(NOT_YOUR_TOKENS)
NO_PAGE = Problem(404, "not_found", "Invalid page.")
BAD_PAGE = invalid("page: Ensure this value is greater than or equal to 1.")
BAD_NAME = invalid("name: Ensure this field has no more than 200 characters.")
BAD_NUMBER = invalid(f"expectedNumber: {INVALID}")
FOREIGN_NUMBER = invalid(f"expectedNumber: {FOREIGN.format(part='ext')}")
BAD_ROLE = invalid('role: "king" is not a valid choice.')
BAD_TOKEN_BODY = invalid("expiresAt: In the future, and within ten years.")
OUTLIVES = invalid("expiresAt: A token makes none that outlives it.")
BAD_REVOKE = invalid("revokeTokens: Must be a valid boolean.")
NO_USER = invalid("username: There is no such user.")
INACTIVE = invalid(f"username: {INACTIVE_USER}")
NO_MEMBER = Problem(404, "not_found", "There is no such member.")
ALREADY_MEMBER = Problem(409, "already_member", invitations.ALREADY_A_MEMBER)
TOO_MANY_OPEN = Problem(
    409,
    "too_many_invitations",
    invitations.TOO_MANY_OPEN.format(number=invitations.OPEN_PER_ORGANIZATION),
)
TOO_MANY_INVITATIONS = Problem(429, "too_many_requests", str(invitations.TooManyInvitations(600)))
LAST_OWNER = Problem(
    409,
    "last_owner",
    "An organization with members keeps at least one owner. Make someone else an owner first.",
)

# --- Organizations ------------------------------------------------------------------------------

ONE = Answer(200, "The organization as it is now.", OrganizationSerializer, ORGANIZATION)
LIST_ORGANIZATIONS = operation(
    "listOrganizations",
    "The organizations that you see",
    "organizations",
    [Answer(200, "A page of them.", OrganizationPage, page(ORGANIZATION))],
    [BAD_PAGE, NO_PAGE],
    query=OrganizationQuery,
)
CREATE_ORGANIZATION = operation(
    "createOrganization",
    "Make an organization (administrators)",
    "organizations",
    [Answer(201, "The new organization.", OrganizationSerializer, ORGANIZATION)],
    [BAD_NAME, BAD_NUMBER, FOREIGN_NUMBER, SUPERUSERS_ONLY],
    body=NewOrganization,
    example={"name": "Padaria Estrela", "expectedNumber": "+5511987654321"},
)
READ_ORGANIZATION = operation(
    "readOrganization", "One organization", "organizations", [ONE], [UNKNOWN]
)
REPLACE_ORGANIZATION = operation(
    "replaceOrganization",
    "Give it a name and an expected number (owners), activate or deactivate it (administrators)",
    "organizations",
    [ONE],
    [BAD_NAME, BAD_NUMBER, FOREIGN_NUMBER, OWNERS_ONLY, SUPERUSERS_ONLY, UNKNOWN],
    body=OrganizationChange,
    example={"name": "Padaria Estrela", "expectedNumber": "+5511987654321", "isActive": True},
)
CHANGE_ORGANIZATION = operation(
    "changeOrganization",
    "Change what is named: name, expected number (owners), whether it is active (administrators)",
    "organizations",
    [ONE],
    [BAD_NAME, BAD_NUMBER, FOREIGN_NUMBER, OWNERS_ONLY, SUPERUSERS_ONLY, UNKNOWN],
    body=OrganizationChange,
    example={"expectedNumber": "+5511987654321"},
    more_examples={
        "a number as people write it": {"expectedNumber": "00 52 55 1234-5678"},
        "a number in the spelling of WhatsApp": {"expectedNumber": "5215512345678"},
        "any phone may be linked": {"expectedNumber": None},
    },
)
DEACTIVATE_ORGANIZATION = operation(
    "deactivateOrganization",
    "Deactivate it; its connection rests, its credentials are kept (administrators)",
    "organizations",
    [Answer(204, "It is inactive, or was already.")],
    [SUPERUSERS_ONLY, UNKNOWN],
)

# --- Members ------------------------------------------------------------------------------------

MEMBER_PATH = [PathParameter("member", "A username, or a user's id (all digits).")]
LIST_MEMBERS = operation(
    "listMembers",
    "Who belongs to it (owners)",
    "members",
    [Answer(200, "A page of them.", MemberPage, page(MEMBER))],
    [BAD_PAGE, OWNERS_ONLY, UNKNOWN, NO_PAGE],
    query=PageQuery,
)
SET_MEMBER = operation(
    "setMember",
    "Invite a user (owners), make one a member (administrators), or give a member this role",
    "members",
    [
        Answer(201, "The new member, added by an administrator.", MemberSerializer, MEMBER),
        Answer(200, "The member, who was one before.", MemberSerializer, MEMBER),
        Answer(
            202,
            "Invited. An owner gets this answer whether there is such a user or not.",
            InvitationSerializer,
            INVITATION,
        ),
    ],
    [
        *(BAD_ROLE, NO_USER, INACTIVE, OWNERS_ONLY, SUPERUSERS_ONLY, UNKNOWN),
        *(LAST_OWNER, ALREADY_MEMBER, TOO_MANY_OPEN, TOO_MANY_INVITATIONS),
    ],
    query=LostRightQuery,
    body=NewMember,
    example={"username": "bob", "role": "operator"},
)
CHANGE_MEMBER = operation(
    "changeMember",
    "Give a member another role (owners)",
    "members",
    [Answer(200, "The member as they are now.", MemberSerializer, MEMBER)],
    [BAD_ROLE, OWNERS_ONLY, UNKNOWN, NO_MEMBER, LAST_OWNER],
    query=LostRightQuery,
    body=RoleChange,
    example={"role": "operator"},
    parameters=MEMBER_PATH,
)
REMOVE_MEMBER = operation(
    "removeMember",
    "Take a member's place away (owners)",
    "members",
    [Answer(204, "They are no member now, or never were.")],
    [BAD_REVOKE, OWNERS_ONLY, UNKNOWN, LAST_OWNER],
    query=LostRightQuery,
    parameters=MEMBER_PATH,
)

# --- Tokens -------------------------------------------------------------------------------------

TOKENS = Answer(200, "A page of them, the newest first.", TokenPage, page(TOKEN))
MADE = Answer(201, "The token. Its text is told only now.", TokenWithText, NEW_TOKEN_TOLD)
REVOKED = Answer(204, "It opens nothing any more.")
NO_SUCH_TOKEN = Problem(404, "not_found", "There is no such token.")

LIST_ORGANIZATION_TOKENS = operation(
    "listOrganizationTokens",
    "The organization's own tokens, without their secrets (owners)",
    "tokens",
    [TOKENS],
    [BAD_PAGE, OWNERS_ONLY, UNKNOWN, NO_PAGE],
    query=PageQuery,
)
CREATE_ORGANIZATION_TOKEN = operation(
    "createOrganizationToken",
    "Make a token for this organization alone (owners)",
    "tokens",
    [MADE],
    [BAD_TOKEN_BODY, OUTLIVES, OWNERS_ONLY, UNKNOWN],
    body=NewToken,
    example=NEW_TOKEN,
)
REVOKE_ORGANIZATION_TOKEN = operation(
    "revokeOrganizationToken",
    "Revoke one of the organization's tokens (owners)",
    "tokens",
    [REVOKED],
    [OWNERS_ONLY, UNKNOWN, NO_SUCH_TOKEN],
)
LIST_OWN_TOKENS = operation(
    "listOwnTokens",
    "Your own tokens, without their secrets",
    "tokens",
    [TOKENS],
    [BAD_PAGE, HOLDERS_ONLY, NO_PAGE],
    query=PageQuery,
)
CREATE_OWN_TOKEN = operation(
    "createOwnToken",
    "Make a token that stands for you in all your organizations",
    "tokens",
    [MADE],
    [BAD_TOKEN_BODY, OUTLIVES, HOLDERS_ONLY],
    body=NewToken,
    example=NEW_TOKEN,
)
REVOKE_OWN_TOKEN = operation(
    "revokeOwnToken",
    "Revoke one of your own tokens",
    "tokens",
    [REVOKED],
    [HOLDERS_ONLY, NO_SUCH_TOKEN],
)
