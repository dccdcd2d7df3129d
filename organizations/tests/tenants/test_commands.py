"""`manage.py create_token` and `manage.py revoke_token`."""

import io
import logging
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone

from organizations.models import ApiToken, AuditEntry, Organization
from organizations.tests.support.adminpages import token
from organizations.tokens import find_token

Action = AuditEntry.Action
PERSONAL, READ = ["--personal"], ["--scope", "read"]


def run(*arguments: str, error: io.StringIO | None = None) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out, stderr=error or io.StringIO())
    return out.getvalue()


def test_create_token_prints_the_token_once(alice: User, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    options = ["--scope", "manage", "--never-expires"]
    printed = run("create_token", "alice", "CRM", *options)
    text = printed.strip()
    assert printed == f"{text}\n"
    created = find_token(text)
    assert created is not None
    actual = (created.user, created.name, created.organization, created.scope, created.expiry)
    assert actual == (alice, "CRM", None, "manage", None)
    assert text not in caplog.text
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor) == (Action.TOKEN_CREATED, "command line")
    assert text not in entry.detail


def test_token_reads_one_organization_for_90_days_unless_told_more(
    alice: User, organization: Organization
) -> None:
    said = io.StringIO()
    own = ["--organization", str(organization.pk)]
    created = find_token(run("create_token", "alice", "CRM", *own, error=said).strip())
    assert created is not None and created.expiry is not None
    assert (created.organization, created.scope, created.message_scopes) == (
        *(organization, "read"),
        [],
    )
    assert timedelta(days=89, hours=23) < created.expiry - timezone.now() < timedelta(days=90)
    assert "It opens one organization, and nothing of any other." in said.getvalue()
    assert "Days until it ends by itself: 90." in said.getvalue()


def test_options_set_organization_scope_and_expiry(alice: User, organization: Organization) -> None:
    options = ["--organization", str(organization.pk), "--scope", "read", "--expires-in-days", "7"]
    created = find_token(run("create_token", "alice", "CRM", *options).strip())
    assert created is not None and created.expiry is not None
    assert (created.organization, created.scope) == (organization, "read")
    assert timedelta(days=6, hours=23) < created.expiry - timezone.now() < timedelta(days=7)


def test_kind_makes_a_token_of_the_cloud_api(alice: User, organization: Organization) -> None:
    options = ["--kind", "graph", "--organization", str(organization.pk)]
    options += ["--scope", "messages:send", "--expires-in-days", "7"]
    text = run("create_token", "alice", "CRM", *options).strip()
    assert find_token(text) is None
    assert find_token(text, ApiToken.Kind.GRAPH) is not None


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [
        (["manage", "messages:send"], ("manage", ["messages:send"])),
        (["messages:read", "messages:send"], ("read", ["messages:send", "messages:read"])),
    ],
)
def test_scope_may_be_repeated(
    alice: User, scopes: list[str], expected: tuple[str, list[str]]
) -> None:
    options = ["--personal", *(word for scope in scopes for word in ("--scope", scope))]
    created = find_token(run("create_token", "alice", "CRM", *options).strip())
    assert created is not None
    assert (created.scope, created.message_scopes) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nobody", "CRM", "--personal"], "no user 'nobody'"),
        (["alice", "CRM", "--organization", "999999"], "no organization 999999"),
        (["alice", "CRM", *PERSONAL, "--organization", "1"], "not allowed with"),
        (["alice", "CRM", *PERSONAL, "--scope", "everything"], "invalid choice"),
        (["alice", "CRM", *PERSONAL, *READ, "--scope", "manage"], "either read or manage"),
        (["alice", "CRM", *PERSONAL, "--expires-in-days", "0"], "from 1 to 3650"),
        (["alice", "CRM", *PERSONAL, "--expires-in-days", "soon"], "invalid int"),
        (["alice", "CRM", *PERSONAL, "--kind", "graph"], "needs an organization, a right"),
        (["alice", "", *PERSONAL], "1 to 100 characters"),
        (["alice", "x" * 101, *PERSONAL], "1 to 100 characters"),
        (["alice", *PERSONAL], "NAME"),
    ],
)
def test_invalid_arguments_print_an_error_and_create_nothing(
    alice: User, arguments: list[str], message: str
) -> None:
    with pytest.raises(CommandError, match=message):
        run("create_token", *arguments)
    assert not ApiToken.objects.exists()


def test_inactive_user_gets_no_token(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)
    with pytest.raises(CommandError, match="not active"):
        run("create_token", "alice", "CRM", *PERSONAL)


def test_token_is_revoked_by_prefix_or_number(alice: User) -> None:
    first, second = token("first", alice), token("second", alice)
    assert "Revoked: first" in run("revoke_token", first.token_key)
    assert "Revoked: second" in run("revoke_token", str(second.number))
    assert not ApiToken.objects.filter(revoked_at=None).exists()
    assert AuditEntry.objects.filter(action=Action.TOKEN_REVOKED).count() == 2
    assert "already" in run("revoke_token", f"{first.token_key}…")
    assert AuditEntry.objects.filter(action=Action.TOKEN_REVOKED).count() == 2


def test_ambiguous_prefix_lists_the_numbers(alice: User) -> None:
    numbers = [str(token(name, alice).number) for name in "ab"]
    with pytest.raises(CommandError) as error:
        run("revoke_token", "wao_")
    assert all(number in str(error.value) for number in numbers)
    assert ApiToken.objects.filter(revoked_at=None).count() == 2


@pytest.mark.parametrize("given", ["", "wao_nothing", "00000000-0000-0000-0000-000000000000"])
def test_unknown_token_revokes_nothing(alice: User, given: str) -> None:
    token("CRM", alice)
    with pytest.raises(CommandError, match="no such token"):
        run("revoke_token", given)
    assert ApiToken.objects.filter(revoked_at=None).count() == 1
