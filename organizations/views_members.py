"""The REST API of an organization's members, for its owners."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _
from rest_framework import status
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from organizations import actions, operations
from organizations.access import Ability, Role
from organizations.models import Membership, Organization
from organizations.serializers import (
    LostRightQuery,
    MemberSerializer,
    NewMember,
    PageQuery,
    RoleChange,
)
from organizations.views import CallerView, Conflict

NO_MEMBER = _("There is no such member.")
NO_USER = _("There is no such user.")


class MembersView(CallerView):
    """`/organizations/{id}/members`."""

    @operations.LIST_MEMBERS
    def get(self, request: Request, organization_id: int) -> Response:
        organization = self.caller.organization(organization_id, Ability.MANAGE)
        self.query(PageQuery)
        members = organization.memberships.select_related("user").order_by("user__username", "pk")
        return self.page(members, MemberSerializer)

    @operations.SET_MEMBER
    def post(self, request: Request, organization_id: int) -> Response:
        organization = self.caller.organization(organization_id, Ability.MANAGE)
        body = self.body(NewMember)
        user = User.objects.filter(username=body["username"]).first()
        if user is None:
            raise ValidationError({"username": [gettext(NO_USER)]})
        return _set(self, organization, user, Role(body["role"]))


class MemberView(CallerView):
    """`/organizations/{id}/members/{member}`: a username, or a user's id (all digits)."""

    @operations.CHANGE_MEMBER
    def patch(self, request: Request, organization_id: int, member: str) -> Response:
        organization = self.caller.organization(organization_id, Ability.MANAGE)
        body = self.body(RoleChange)
        membership = _find(organization, member)
        if membership is None:
            raise NotFound(gettext(NO_MEMBER))
        try:
            return _set(self, organization, membership.user, Role(body["role"]), add=False)
        except Membership.DoesNotExist as error:
            # Removed since it was found.
            raise NotFound(gettext(NO_MEMBER)) from error

    @operations.REMOVE_MEMBER
    def delete(self, request: Request, organization_id: int, member: str) -> Response:
        organization = self.caller.organization(organization_id, Ability.MANAGE)
        revoke_tokens: bool = self.query(LostRightQuery)["revokeTokens"]
        membership = _find(organization, member)
        if membership is not None:
            try:
                actions.remove_member(membership, self.caller.actor, revoke_tokens=revoke_tokens)
            except actions.LastOwner as error:
                raise Conflict(str(error), "last_owner") from error
        return Response(status=status.HTTP_204_NO_CONTENT)


def _find(organization: Organization, member: str) -> Membership | None:
    """A member. Digits are always an id, even of one who is no member: no name is tried then."""
    called = {"pk": int(member)} if member.isdecimal() else {"username": member}
    # Through the users: a number beyond all bounds finds none there, but breaks a foreign key.
    users = User.objects.filter(**called)
    return organization.memberships.select_related("user").filter(user__in=users).first()


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
