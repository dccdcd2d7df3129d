"""REST API of invitations: an organization's invitations, and those that a user received."""

from __future__ import annotations

from uuid import UUID

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _
from rest_framework import status
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from organizations import invitations
from organizations.access import Permission, Role
from organizations.api import schema_invitations as schema
from organizations.api.serializers import (
    InvitationSerializer,
    OrganizationSerializer,
    PageQuery,
    ReceivedInvitationSerializer,
)
from organizations.api.views import CallerView, Conflict, TooManyRequests
from organizations.models import Invitation, Organization

NO_INVITATION = _("There is no such invitation.")


def invite(view: CallerView, organization: Organization, username: str, role: Role) -> Response:
    """Invite a username; the response is the same for all names that are not members."""
    try:
        invitation = invitations.invite(organization, username, role, view.caller)
    except invitations.AlreadyMember as error:
        # Became a member after the view checked.
        raise Conflict(str(error), "already_member") from error
    except invitations.TooManyOpen as error:
        raise Conflict(str(error), "too_many_invitations") from error
    except invitations.TooManyInvitations as error:
        raise TooManyRequests(str(error), error.wait) from error
    return Response(InvitationSerializer(invitation).data, status=status.HTTP_202_ACCEPTED)


class InvitationsView(CallerView):
    """`/organizations/{id}/invitations`; `POST …/members` makes them."""

    @schema.list_invitations
    def get(self, request: Request, organization_id: int) -> Response:
        organization = self.caller.organization(organization_id, Permission.MANAGE)
        self.query(PageQuery)
        found = invitations.sent(Organization.objects.filter(pk=organization.pk))
        return self.page(found, InvitationSerializer)


class InvitationView(CallerView):
    """`/organizations/{id}/invitations/{invitation}`."""

    @schema.withdraw_invitation
    def delete(self, request: Request, organization_id: int, invitation_id: UUID) -> Response:
        organization = self.caller.organization(organization_id, Permission.MANAGE)
        invitations.withdraw(organization, invitation_id, self.caller.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)


class ReceivedInvitationsView(CallerView):
    """`/invitations`: those that wait for the caller's answer."""

    @schema.list_received_invitations
    def get(self, request: Request) -> Response:
        found = invitations.received(self.caller)
        self.query(PageQuery)
        return self.page(found, ReceivedInvitationSerializer)


class AcceptView(CallerView):
    """`/invitations/{invitation}/accept`."""

    @schema.accept_invitation
    def post(self, request: Request, invitation_id: UUID) -> Response:
        try:
            organization = invitations.accept(invitation_id, self.caller)
        except Invitation.DoesNotExist as error:
            raise NotFound(gettext(NO_INVITATION)) from error
        context = {"roles": self.caller.roles([organization])}
        return Response(OrganizationSerializer(organization, context=context).data)


class DeclineView(CallerView):
    """`/invitations/{invitation}/decline`."""

    @schema.decline_invitation
    def post(self, request: Request, invitation_id: UUID) -> Response:
        try:
            invitations.decline(invitation_id, self.caller)
        except Invitation.DoesNotExist as error:
            raise NotFound(gettext(NO_INVITATION)) from error
        return Response(status=status.HTTP_204_NO_CONTENT)
