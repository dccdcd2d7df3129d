"""The one door: who sees which organizations, and who may do something in them."""

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError

from organizations.access import Ability, person
from organizations.models import Membership, Organization
from organizations.tests.people import member

Role = Membership.Role


@pytest.mark.parametrize(
    ("role", "operates"), [(Role.VIEWER, False), (Role.OPERATOR, True), (Role.OWNER, True)]
)
def test_a_member_sees_and_operates_as_the_role_says(
    organization: Organization, other_organization: Organization, role: Role, operates: bool
) -> None:
    user = member("dora", organization, role)
    assert list(person(user).organizations) == [organization]
    assert person(user).organization(organization.pk) == organization
    assert person(user).may(Ability.OPERATE, organization) == operates
    if operates:
        assert person(user).organization(organization.pk, Ability.OPERATE) == organization
    else:
        with pytest.raises(PermissionDenied, match="only allows you to look"):
            person(user).organization(organization.pk, Ability.OPERATE)


def test_every_role_is_in_the_table_above() -> None:
    assert set(Role) == {Role.VIEWER, Role.OPERATOR, Role.OWNER}


def test_to_an_outsider_it_does_not_exist(charlie: User, organization: Organization) -> None:
    assert organization not in person(charlie).organizations
    assert not person(charlie).may(Ability.OPERATE, organization)
    for ability in Ability:
        with pytest.raises(Organization.DoesNotExist):
            person(charlie).organization(organization.pk, ability)


def test_what_is_not_there_and_what_is_not_yours_look_the_same(
    charlie: User, organization: Organization
) -> None:
    told = []
    for number in (organization.pk, 999_999):
        with pytest.raises(Organization.DoesNotExist) as error:
            person(charlie).organization(number)
        told.append(str(error.value))
    assert told[0] == told[1]


def test_roles_count_in_their_own_organization_only(
    alice: User, other_organization: Organization
) -> None:
    Membership.objects.create(user=alice, organization=other_organization, role=Role.VIEWER)
    assert person(alice).organizations.count() == 2
    assert not person(alice).may(Ability.OPERATE, other_organization)


def test_a_superuser_may_everything(
    organization: Organization, other_organization: Organization
) -> None:
    root = User.objects.create_superuser("root")
    assert set(person(root).organizations) == {organization, other_organization}
    assert person(root).organization(organization.pk, Ability.OPERATE) == organization


@pytest.mark.parametrize("superuser", [False, True])
def test_who_was_deactivated_sees_nothing(
    alice: User, organization: Organization, superuser: bool
) -> None:
    alice.is_active, alice.is_superuser = False, superuser
    alice.save()
    assert not person(alice).organizations.exists()
    assert not person(alice).may(Ability.OPERATE, organization)


def test_who_is_not_logged_in_sees_nothing(organization: Organization) -> None:
    nobody = AnonymousUser()
    assert not person(nobody).organizations.exists()
    assert not person(nobody).may(Ability.OPERATE, organization)


def test_who_left_sees_nothing(alice: User, organization: Organization) -> None:
    alice.memberships.all().delete()
    assert not person(alice).organizations.exists()


def test_no_one_has_two_roles_in_one_organization(alice: User, organization: Organization) -> None:
    with pytest.raises(IntegrityError):
        Membership.objects.create(user=alice, organization=organization, role=Role.VIEWER)
