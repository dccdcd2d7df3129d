"""Tokens that were created with a token are revoked with it."""

from __future__ import annotations

import io
from datetime import timedelta
from functools import partial

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from organizations import actions
from organizations.access import Actor
from organizations.models import ApiToken, AuditEntry, Membership, Organization
from organizations.tests.rights.test_races import at_the_same_time
from organizations.tests.support.adminpages import address, browser
from organizations.tests.support.api import API, Api, error, olivia
from organizations.tests.support.users import member
from organizations.tokens import find_token

__all__ = ["olivia"]


class Tree:
    """An owner's token, a personal token created with it, and an organization's with that one."""

    def __init__(self, olivia: User, organization: Organization) -> None:
        self.path = f"/organizations/{organization.pk}"
        self.first = Api(olivia)
        created = self.first("post", "/tokens", {"name": "second", "scope": "manage"}).json()
        self.second, self.second_number = created["token"], created["id"]
        response = client(self.second).post(
            f"{API}{self.path}/tokens", {"name": "third"}, content_type="application/json"
        )
        self.third = response.json()["token"]

    def statuses(self) -> list[int]:
        """Return the status of a request with each of the three tokens."""
        texts = (self.first.text, self.second, self.third)
        return [client(text).get(f"{API}{self.path}").status_code for text in texts]


def client(text: str) -> Client:
    return Client(headers={"Authorization": f"Bearer {text}"})


def revocations() -> list[tuple[str, str, int | None]]:
    """Return actor, token name and organization of each revocation."""
    entries = AuditEntry.objects.filter(action="token_revoked").order_by("pk")
    return list(entries.values_list("actor", "detail", "organization"))


@pytest.fixture
def tree(olivia: User, organization: Organization) -> Tree:
    found = Tree(olivia, organization)
    assert found.statuses() == [200, 200, 200]
    return found


def test_revoking_a_token_revokes_tokens_created_with_it(
    tree: Tree, olivia: User, organization: Organization
) -> None:
    other = Api(olivia)
    assert tree.first("delete", f"/tokens/{tree.first.token.number}").status_code == 204
    assert tree.statuses() == [401, 401, 401]
    assert other("get", tree.path).status_code == 200
    by = "olivia (API token a test)"
    assert revocations() == [
        (by, "a test", None),
        (by, "second", None),
        (by, "third", organization.pk),
    ]


def test_revoking_a_token_keeps_the_one_that_created_it(tree: Tree) -> None:
    for _ in range(2):
        assert tree.first("delete", f"/tokens/{tree.second_number}").status_code == 204
        assert tree.statuses() == [200, 401, 401]
    assert [what for _, what, _ in revocations()] == ["second", "third"]


def test_other_users_cannot_revoke_a_tree(
    tree: Tree, alice: User, bob: User, charlie: User
) -> None:
    for user in (alice, bob, charlie):
        response = Api(user)("delete", f"/tokens/{tree.first.token.number}")
        assert error(response) == (404, "not_found", "There is no such token.")
    assert tree.statuses() == [200, 200, 200]


def test_admin_revokes_the_tree(tree: Tree, olivia: User) -> None:
    page = address("apitoken", "revoke", tree.first.token.number)
    assert "a token made with it" in browser(olivia).get(page).content.decode()
    browser(olivia).post(page, {"confirmed": "yes"})
    assert tree.statuses() == [401, 401, 401]
    assert [by for by, _, _ in revocations()] == ["olivia"] * 3


def test_command_revokes_the_tree_and_prints_each_token(tree: Tree) -> None:
    out = io.StringIO()
    call_command("revoke_token", str(tree.first.token.number), stdout=out)
    assert tree.statuses() == [401, 401, 401]
    actual = [line.split(" (")[0] for line in out.getvalue().splitlines()]
    assert actual == ["Revoked: a test", "Revoked: second", "Revoked: third"]
    assert [by for by, _, _ in revocations()] == ["command line"] * 3


def test_revoking_again_revokes_valid_tokens_of_the_tree(tree: Tree) -> None:
    """The first token was revoked alone, as by a version without `made_by`."""
    ApiToken.objects.filter(pk=tree.first.token.pk).update(revoked_at=timezone.now())
    assert tree.statuses() == [401, 200, 200]
    revoked = actions.revoke_token(tree.first.token, Actor("the tests"))
    assert [token.name for token in revoked] == ["second", "third"]
    assert tree.statuses() == [401, 401, 401]


def test_expiry_of_the_creating_token_revokes_nothing(tree: Tree) -> None:
    past = timezone.now() - timedelta(seconds=1)
    ApiToken.objects.filter(pk=tree.first.token.pk).update(expiry=past)
    assert tree.statuses() == [401, 200, 200]


def test_token_created_without_a_token_has_no_parent(olivia: User) -> None:
    browser(olivia).post(
        address("apitoken", "add"), {"name": "CRM", "scope": "manage", "reach": "user"}
    )
    assert ApiToken.objects.get(name="CRM").made_by is None


@pytest.mark.django_db(transaction=True)
def test_token_created_during_revocation_of_its_parent_is_revoked() -> None:
    for turn in range(15):
        # Refused tokens count as wrong tokens.
        cache.clear()
        organization = Organization.objects.create(name=f"Acme {turn}")
        owner = member(f"owner{turn}", organization, Membership.Role.OWNER)
        tree, other = Tree(owner, organization), Api(owner)
        created, revoked = at_the_same_time(
            partial(
                client(tree.second).post,
                f"{API}/tokens",
                {"name": "fourth"},
                content_type="application/json",
            ),
            partial(other, "delete", f"/tokens/{tree.first.token.number}"),
        )
        assert revoked.status_code == 204
        assert created.status_code in (201, 401, 403)
        if created.status_code == 201:
            assert find_token(created.json()["token"]) is None
        assert tree.statuses() == [401, 401, 401]
