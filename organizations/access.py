"""The one door to a tenant: who may see which organizations, and do what in them.

Views, the API, the admin and the consumers all come through here. What a person may not see does
not exist for that person: the answer is `Organization.DoesNotExist` (404), never "forbidden".
"""

from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet

from organizations.models import Membership, Organization

OPERATING_ROLES = (Membership.Role.OPERATOR, Membership.Role.OWNER)


def visible_organizations(user: User | AnonymousUser) -> QuerySet[Organization]:
    """The organizations `user` may see: all for a superuser, else those with a membership."""
    if not user.is_active:
        return Organization.objects.none()
    if user.is_superuser:
        return Organization.objects.all()
    return Organization.objects.filter(memberships__user_id=user.pk)


def visible_organization(user: User | AnonymousUser, organization_id: int) -> Organization:
    """One organization that `user` may see. Raises Organization.DoesNotExist for outsiders."""
    return visible_organizations(user).get(pk=organization_id)


def may_operate(user: User | AnonymousUser, organization: Organization) -> bool:
    """Whether `user` may reconnect and disconnect this organization."""
    if not user.is_active:
        return False
    return (
        user.is_superuser
        or Membership.objects.filter(
            user_id=user.pk, organization=organization, role__in=OPERATING_ROLES
        ).exists()
    )


def operable_organization(user: User | AnonymousUser, organization_id: int) -> Organization:
    """One organization that `user` may reconnect and disconnect.

    Raises Organization.DoesNotExist for outsiders, PermissionDenied for those who may only look.
    """
    organization = visible_organization(user, organization_id)
    if not may_operate(user, organization):
        raise PermissionDenied("Your role in this organization only allows you to look.")
    return organization
