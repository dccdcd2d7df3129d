"""REST API of an organization's members, for its owners.

An owner invites users. Only a superuser, who sees all users anyway, adds a member directly.
"""

from __future__ import annotations

from django.contrib.auth.models import User
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _
from rest_framework import status
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from organizations import actions
from organizations.access import Permission, Role
from organizations.api import schema_members as schema
from organizations.api.serializers import (
    LostRightQuery,
    MemberSerializer,
    NewMember,
    PageQuery,
    RoleChange,
)
from organizations.api.views import CallerView, Conflict
from organizations.api.views_invitations import invite
from organizations.models import Membership, Organization

NO_MEMBER = _("There is no such member.")
NO_USER = _("There is no such user.")


class MembersView(CallerView):
    """`/organizations/{id}/members`."""

    @schema.list_members
    def get(self, request: Request, organization_id: int) -> Response:
        organization = self.caller.organization(organization_id, Permission.MANAGE)
        self.query(PageQuery)
        members = organization.memberships.select_related("user").order_by("user__username", "pk")
        return self.page(members, MemberSerializer)

    @schema.set_member
    def post(self, request: Request, organization_id: int) -> Response:
        organization = self.caller.organization(organization_id, Permission.MANAGE)
        body = self.body(NewMember)
        username, role = body["username"], Role(body["role"])
        members = organization.memberships.select_related("user")
        membership = members.filter(user__username=username).first()
        if membership is not None:
            return _change(self, membership, role)
        if not self.caller.is_superuser:
            return invite(self, organization, username, role)
        return self._add(organization, username, role)

    def _add(self, organization: Organization, username: str, role: Role) -> Response:
        user = User.objects.filter(username=username).first()
        if user is None:
            raise ValidationError({"username": [gettext(NO_USER)]})
        try:
            return _set(self, organization, user, role)
        except actions.InactiveUser as error:
            raise ValidationError({"username": [str(error)]}) from error


class MemberView(CallerView):
    """`/organizations/{id}/members/{member}`: a username, or a user's id (all digits)."""

    @schema.change_member
    def patch(self, request: Request, organization_id: int, member: str) -> Response:
        organization = self.caller.organization(organization_id, Permission.MANAGE)
        body = self.body(RoleChange)
        membership = _find(organization, member)
        if membership is None:
            raise NotFound(gettext(NO_MEMBER))
        return _change(self, membership, Role(body["role"]))

    @schema.remove_member
    def delete(self, request: Request, organization_id: int, member: str) -> Response:
        organization = self.caller.organization(organization_id, Permission.MANAGE)
        revoke_tokens: bool = self.query(LostRightQuery)["revokeTokens"]
        membership = _find(organization, member)
        if membership is not None:
            try:
                actions.remove_member(membership, self.caller.actor, revoke_tokens=revoke_tokens)
            except actions.LastOwner as error:
                raise Conflict(str(error), "last_owner") from error
        return Response(status=status.HTTP_204_NO_CONTENT)


def _find(organization: Organization, member: str) -> Membership | None:
    """Return a member by id or username. Digits are always an id, never a username."""
    lookup = {"pk": int(member)} if member.isdecimal() else {"username": member}
    # A subquery on users: an id out of range matches none there, but fails on the foreign key.
    users = User.objects.filter(**lookup)
    return organization.memberships.select_related("user").filter(user__in=users).first()


def _change(view: CallerView, membership: Membership, role: Role) -> Response:
    try:
        return _set(view, membership.organization, membership.user, role, add=False)
    except Membership.DoesNotExist as error:
        # Removed after the view found it.
        raise NotFound(gettext(NO_MEMBER)) from error


def _set(
    view: CallerView, organization: Organization, user: User, role: Role, *, add: bool = True
) -> Response:
    actor, revoke_tokens = view.caller.actor, view.query(LostRightQuery)["revokeTokens"]
    try:
        membership, new = actions.set_member(
            organization, user, role, actor, add=add, revoke_tokens=revoke_tokens
        )
    except actions.LastOwner as error:
        raise Conflict(str(error), "last_owner") from error
    code = status.HTTP_201_CREATED if new else status.HTTP_200_OK
    return Response(MemberSerializer(membership).data, status=code)
