"""The operations of invitations, as the OpenAPI document tells them."""

from __future__ import annotations

from organizations.openapi import UNKNOWN, Answer, Problem, operation
from organizations.operations import (
    BAD_PAGE,
    HOLDERS_ONLY,
    INVITATION,
    NO_PAGE,
    ORGANIZATION,
    OWNERS_ONLY,
    page,
)
from organizations.serializers import (
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
NO_INVITATION = Problem(404, "not_found", "There is no such invitation.")

LIST_INVITATIONS = operation(
    "listInvitations",
    "The open invitations to it (owners); a declined one is among them until it expires",
    "invitations",
    [Answer(200, "A page of them, the newest first.", InvitationPage, page(INVITATION))],
    [BAD_PAGE, OWNERS_ONLY, UNKNOWN, NO_PAGE],
    query=PageQuery,
)
WITHDRAW_INVITATION = operation(
    "withdrawInvitation",
    "Withdraw an invitation (owners)",
    "invitations",
    [Answer(204, "It is open no more, or never was.")],
    [OWNERS_ONLY, UNKNOWN],
)
LIST_RECEIVED_INVITATIONS = operation(
    "listReceivedInvitations",
    "The invitations that wait for your answer",
    "invitations",
    [Answer(200, "A page of them, the newest first.", ReceivedInvitationPage, page(RECEIVED))],
    [BAD_PAGE, HOLDERS_ONLY, NO_PAGE],
    query=PageQuery,
)
ACCEPT_INVITATION = operation(
    "acceptInvitation",
    "Become a member of the organization that invites you",
    "invitations",
    [
        Answer(
            200,
            "The organization. `role` says what you may do there now.",
            OrganizationSerializer,
            ORGANIZATION | {"role": INVITATION["role"]},
        )
    ],
    [HOLDERS_ONLY, NO_INVITATION],
)
DECLINE_INVITATION = operation(
    "declineInvitation",
    "Decline an invitation; owners of the organization are not told",
    "invitations",
    [Answer(204, "You are not asked again, unless you are invited again.")],
    [HOLDERS_ONLY, NO_INVITATION],
)
