"""Concurrent changes, and rights that end between a view's check and the change."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import connection as database
from django.utils import timezone

from organizations import actions
from organizations.access import Actor, Caller
from organizations.models import ApiToken, AuditEntry, Membership, Organization
from organizations.tests.support.api import Api, root
from organizations.tests.support.users import member

__all__ = ["root"]

Role = Membership.Role
TESTS = Actor("the tests")
ROUNDS = 15
Call = Callable[[], Any]


def at_the_same_time(*calls: Call) -> list[Any]:
    """Run the calls at the same time, each in a thread, and return their results."""
    together = Barrier(len(calls), timeout=20)

    def run(call: Call) -> Any:
        try:
            # Connect to the database first, so that the requests overlap.
            database.ensure_connection()
            together.wait()
            return call()
        finally:
            database.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [found.result(60) for found in [pool.submit(run, call) for call in calls]]


def owners(organization: Organization) -> list[str]:
    found = organization.memberships.filter(role=Role.OWNER)
    return list(found.values_list("user__username", flat=True))


# --- Requests that overlap -----------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("method", "body"), [("delete", None), ("patch", {"role": "viewer"})], ids=["remove", "demote"]
)
@pytest.mark.parametrize("others", [True, False], ids=["others", "alone"])
def test_one_owner_stays_when_two_remove_each_other(
    method: str, body: dict[str, str], others: bool
) -> None:
    for turn in range(ROUNDS):
        organization = Organization.objects.create(name=f"Acme {turn}")
        alice, bob = (member(f"{name}{turn}", organization, Role.OWNER) for name in ("a", "b"))
        if others:
            member(f"c{turn}", organization, Role.VIEWER)
        path = f"/organizations/{organization.pk}/members"
        by_alice, by_bob = Api(alice), Api(bob)
        responses = at_the_same_time(
            partial(by_alice, method, f"{path}/{bob.username}", body),
            partial(by_bob, method, f"{path}/{alice.username}", body),
        )
        won, lost = sorted(response.status_code for response in responses)
        assert won in (200, 204)
        assert lost in (403, 404, 409)
        assert len(owners(organization)) == 1


@pytest.mark.django_db(transaction=True)
def test_one_owner_stays_when_two_leave_at_once() -> None:
    for turn in range(ROUNDS):
        organization = Organization.objects.create(name=f"Acme {turn}")
        alice, bob = (member(f"{name}{turn}", organization, Role.OWNER) for name in ("a", "b"))
        member(f"c{turn}", organization, Role.VIEWER)
        path = f"/organizations/{organization.pk}/members"
        calls = [(Api(user), f"{path}/{user.username}") for user in (alice, bob)]
        responses = at_the_same_time(*(partial(api, "delete", own) for api, own in calls))
        assert sorted(response.status_code for response in responses) == [204, 409]
        assert len(owners(organization)) == 1


@pytest.mark.django_db(transaction=True)
def test_member_whose_role_changes_while_removed_stays_removed() -> None:
    for turn in range(ROUNDS):
        organization = Organization.objects.create(name=f"Acme {turn}")
        alice, bob = (member(f"{name}{turn}", organization, Role.OWNER) for name in ("a", "b"))
        charlie = member(f"c{turn}", organization, Role.VIEWER)
        path = f"/organizations/{organization.pk}/members/{charlie.username}"
        removed, changed = at_the_same_time(
            partial(Api(alice), "delete", path),
            partial(Api(bob), "patch", path, {"role": "operator"}),
        )
        assert removed.status_code == 204
        assert changed.status_code in (200, 404)
        assert not organization.memberships.filter(user=charlie).exists()


@pytest.mark.django_db(transaction=True)
def test_owner_removed_meanwhile_cannot_create_a_token() -> None:
    for turn in range(ROUNDS):
        organization = Organization.objects.create(name=f"Acme {turn}")
        alice, bob = (member(f"{name}{turn}", organization, Role.OWNER) for name in ("a", "b"))
        path = f"/organizations/{organization.pk}"
        by_alice, by_bob = Api(alice), Api(bob)
        removed, created = at_the_same_time(
            partial(by_alice, "delete", f"{path}/members/{bob.username}"),
            partial(by_bob, "post", f"{path}/tokens", {"name": "x"}),
        )
        assert removed.status_code == 204
        assert created.status_code in (201, 403, 404)
        entries = AuditEntry.objects.filter(organization=organization).order_by("pk")
        actual = list(entries.values_list("action", flat=True))
        # Created before the removal, which revokes it, or not at all.
        whole = ["token_created", "member_removed", "token_revoked"]
        assert actual in (whole, ["member_removed"])
        assert not ApiToken.objects.filter(organization=organization, revoked_at=None).exists()
        assert (created.status_code == 201) == ("token_created" in actual)


@pytest.mark.django_db(transaction=True)
def test_two_tokens_that_revoke_each_other_do_not_deadlock(
    organization: Organization,
) -> None:
    alice = member("olivia", organization, Role.OWNER)
    for _ in range(ROUNDS):
        first, second = Api(alice), Api(alice)
        responses = at_the_same_time(
            partial(first, "delete", f"/tokens/{second.token.number}"),
            partial(second, "delete", f"/tokens/{first.token.number}"),
        )
        won, lost = sorted(response.status_code for response in responses)
        assert won == 204
        assert lost in (401, 403)
        valid = ApiToken.objects.filter(pk__in=[first.token.pk, second.token.pk], revoked_at=None)
        assert valid.count() == 1


# --- A right that has ended after the view's check -----------------------------------------------


@pytest.fixture
def caller(root: User) -> Caller:
    """Return a superuser with a token, as after the view's check."""
    return Caller(root, Api(root).token)


@pytest.fixture
def changes(
    organization: Organization, bob: User, charlie: User, root: User, caller: Caller
) -> dict[str, Call]:
    """Return each action with the arguments that a view passes."""
    actor, place = caller.actor, organization.memberships.get(user=bob)
    crm, _ = actions.create_token(charlie, "crm", TESTS, organization=organization)
    own, _ = actions.create_token(root, "own", TESTS)
    return {
        "rename": lambda: actions.rename_organization(organization, "Other", actor),
        "expected number": lambda: actions.set_expected_number(organization, "5511", actor),
        "deactivate": lambda: actions.set_active(organization, False, actor),
        "create": lambda: actions.create_organization("New", actor),
        "add": lambda: actions.set_member(organization, charlie, Role.OWNER, actor),
        "change": lambda: actions.set_member(organization, bob, Role.OPERATOR, actor),
        "remove": lambda: actions.remove_member(place, actor),
        "token": lambda: actions.create_token(root, "x", actor, organization=organization),
        "revoke": lambda: actions.revoke_token(crm, actor),
        "own token": lambda: actions.create_token(root, "x", actor),
        "revoke own": lambda: actions.revoke_token(own, actor),
    }


LOSSES: dict[str, Call] = {
    "demoted": lambda: User.objects.filter(username="root").update(is_superuser=False),
    "inactive": lambda: User.objects.filter(username="root").update(is_active=False),
    "revoked": lambda: ApiToken.objects.filter(name="a test").update(revoked_at=timezone.now()),
    "expired": lambda: ApiToken.objects.filter(name="a test").update(expiry=timezone.now()),
    "read only": lambda: ApiToken.objects.filter(name="a test").update(scope="read"),
    "deleted": lambda: ApiToken.objects.filter(name="a test").delete(),
}


def test_every_action_adds_an_audit_entry(changes: dict[str, Call]) -> None:
    for call in changes.values():
        before = AuditEntry.objects.count()
        call()
        assert AuditEntry.objects.count() > before


@pytest.mark.parametrize("loss", LOSSES)
def test_every_action_is_refused_after_the_right_is_lost(
    changes: dict[str, Call], loss: str
) -> None:
    LOSSES[loss]()
    if loss == "demoted":
        # Personal tokens need no membership.
        changes = {name: call for name, call in changes.items() if "own" not in name}
    before = AuditEntry.objects.count()
    for call in changes.values():
        with pytest.raises(PermissionDenied):
            call()
    assert AuditEntry.objects.count() == before
    assert Organization.objects.get(name="Acme").is_active


def test_owner_demoted_meanwhile_changes_nothing(organization: Organization, bob: User) -> None:
    owner = member("olivia", organization, Role.OWNER)
    actor, place = Caller(owner).actor, organization.memberships.get(user=bob)
    organization.memberships.filter(user=owner).update(role=Role.VIEWER)
    with pytest.raises(PermissionDenied, match="Only an owner"):
        actions.remove_member(place, actor)
    organization.memberships.filter(user=owner).delete()
    with pytest.raises(PermissionDenied, match="Only an owner"):
        actions.set_member(organization, owner, Role.OWNER, actor)


# --- Stale rows ----------------------------------------------------------------------------------


def test_owner_read_as_a_viewer_is_still_the_last_owner(
    organization: Organization, alice: User, bob: User
) -> None:
    place = organization.memberships.get(user=bob)
    organization.memberships.filter(user=bob).update(role=Role.OWNER)
    with pytest.raises(actions.LastOwner):
        actions.remove_member(place, TESTS)
    assert owners(organization) == ["bob"]


def test_inactive_owner_is_no_other_owner_and_may_go_before_another(
    organization: Organization, alice: User, bob: User
) -> None:
    Membership.objects.filter(user=bob).update(role=Role.OWNER)
    for name in ("gone", "left"):
        User.objects.filter(pk=member(name, organization, Role.OWNER).pk).update(is_active=False)
    places = {place.user.username: place for place in organization.memberships.all()}
    with pytest.raises(actions.LastOwner):
        actions.remove_member(places["bob"], TESTS)
    with pytest.raises(actions.LastOwner):
        actions.set_member(organization, bob, Role.VIEWER, TESTS)
    User.objects.filter(pk=bob.pk).update(is_active=False)
    actions.remove_member(places["gone"], TESTS)
    actions.set_member(organization, bob, Role.VIEWER, TESTS)
    with pytest.raises(actions.LastOwner):
        actions.remove_member(places["left"], TESTS)


def test_member_removed_meanwhile_is_not_removed_twice(
    organization: Organization, bob: User
) -> None:
    places = [organization.memberships.get(user=bob) for _ in range(2)]
    for place in places:
        actions.remove_member(place, TESTS)
    assert AuditEntry.objects.filter(action="member_removed").count() == 1


def test_role_change_of_a_removed_member_does_not_add_them(
    organization: Organization, bob: User
) -> None:
    organization.memberships.filter(user=bob).delete()
    with pytest.raises(Membership.DoesNotExist):
        actions.set_member(organization, bob, Role.OWNER, TESTS, add=False)
    assert not organization.memberships.filter(user=bob).exists()
