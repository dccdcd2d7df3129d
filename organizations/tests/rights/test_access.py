"""Access control: who sees which organizations, and with which permissions."""

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from pytest_django import DjangoAssertNumQueries

from organizations.access import Permission, for_user
from organizations.models import Membership, Organization
from organizations.tests.support.users import member

Role = Membership.Role


@pytest.mark.parametrize(
    ("role", "operates"), [(Role.VIEWER, False), (Role.OPERATOR, True), (Role.OWNER, True)]
)
def test_member_has_the_permissions_of_the_role(
    organization: Organization, other_organization: Organization, role: Role, operates: bool
) -> None:
    user = member("dora", organization, role)
    assert list(for_user(user).organizations) == [organization]
    assert for_user(user).organization(organization.pk) == organization
    assert for_user(user).may(Permission.OPERATE, organization) == operates
    if operates:
        assert for_user(user).organization(organization.pk, Permission.OPERATE) == organization
    else:
        with pytest.raises(PermissionDenied, match="only allows you to look"):
            for_user(user).organization(organization.pk, Permission.OPERATE)


def test_role_table_covers_every_role() -> None:
    assert set(Role) == {Role.VIEWER, Role.OPERATOR, Role.OWNER}


def test_outsider_gets_does_not_exist(charlie: User, organization: Organization) -> None:
    assert organization not in for_user(charlie).organizations
    assert not for_user(charlie).may(Permission.OPERATE, organization)
    for permission in Permission:
        with pytest.raises(Organization.DoesNotExist):
            for_user(charlie).organization(organization.pk, permission)


def test_missing_and_foreign_organizations_raise_the_same_error(
    charlie: User, organization: Organization
) -> None:
    actual = []
    for number in (organization.pk, 999_999):
        with pytest.raises(Organization.DoesNotExist) as error:
            for_user(charlie).organization(number)
        actual.append(str(error.value))
    assert actual[0] == actual[1]


def test_role_applies_in_its_organization_only(
    alice: User, other_organization: Organization
) -> None:
    Membership.objects.create(user=alice, organization=other_organization, role=Role.VIEWER)
    assert for_user(alice).organizations.count() == 2
    assert not for_user(alice).may(Permission.OPERATE, other_organization)


def test_superuser_has_every_permission(
    organization: Organization, other_organization: Organization
) -> None:
    root = User.objects.create_superuser("root")
    assert set(for_user(root).organizations) == {organization, other_organization}
    assert for_user(root).organization(organization.pk, Permission.OPERATE) == organization


@pytest.mark.parametrize("superuser", [False, True])
def test_inactive_user_sees_nothing(
    alice: User, organization: Organization, superuser: bool
) -> None:
    alice.is_active, alice.is_superuser = False, superuser
    alice.save()
    assert not for_user(alice).organizations.exists()
    assert not for_user(alice).may(Permission.OPERATE, organization)


def test_anonymous_user_sees_nothing(organization: Organization) -> None:
    nobody = AnonymousUser()
    assert not for_user(nobody).organizations.exists()
    assert not for_user(nobody).may(Permission.OPERATE, organization)


def test_former_member_sees_nothing(alice: User, organization: Organization) -> None:
    alice.memberships.all().delete()
    assert not for_user(alice).organizations.exists()


def test_second_membership_in_an_organization_is_refused(
    alice: User, organization: Organization
) -> None:
    with pytest.raises(IntegrityError):
        Membership.objects.create(user=alice, organization=organization, role=Role.VIEWER)


def test_organization_and_role_of_a_member_are_read_with_one_query(
    alice: User,
    bob: User,
    organization: Organization,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_num_queries(1):
        assert for_user(alice).organization(organization.pk, Permission.OPERATE) == organization
    with django_assert_num_queries(1), pytest.raises(PermissionDenied):
        for_user(bob).organization(organization.pk, Permission.OPERATE)
