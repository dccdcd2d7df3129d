"""`manage.py create_token` and `manage.py revoke_token`."""

import io
import logging
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone

from organizations.models import ApiToken, AuditEntry, Organization
from organizations.tests.adminpages import token
from organizations.tokens import find_token

Action = AuditEntry.Action


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_a_token_is_printed_once(alice: User, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    printed = run("create_token", "alice", "CRM")
    text = printed.strip()
    assert printed == f"{text}\n"
    made = find_token(text)
    assert made is not None
    told = (made.user, made.name, made.organization, made.scope, made.expiry)
    assert told == (alice, "CRM", None, "manage", None)
    assert text not in caplog.text
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor) == (Action.TOKEN_CREATED, "command line")
    assert text not in entry.detail


def test_it_can_be_an_organizations_read_only_and_end(
    alice: User, organization: Organization
) -> None:
    options = ["--organization", str(organization.pk), "--scope", "read", "--expires-in-days", "7"]
    made = find_token(run("create_token", "alice", "CRM", *options).strip())
    assert made is not None and made.expiry is not None
    assert (made.organization, made.scope) == (organization, "read")
    assert timedelta(days=6, hours=23) < made.expiry - timezone.now() < timedelta(days=7)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nobody", "CRM"], "no user 'nobody'"),
        (["alice", "CRM", "--organization", "999999"], "no organization 999999"),
        (["alice", "CRM", "--scope", "everything"], "invalid choice"),
        (["alice", "CRM", "--expires-in-days", "0"], "from 1 to 3650"),
        (["alice", "CRM", "--expires-in-days", "soon"], "invalid int"),
        (["alice", ""], "1 to 100 characters"),
        (["alice", "x" * 101], "1 to 100 characters"),
        (["alice"], "NAME"),
    ],
)
def test_what_is_wrong_is_said_and_makes_nothing(
    alice: User, arguments: list[str], said: str
) -> None:
    with pytest.raises(CommandError, match=said):
        run("create_token", *arguments)
    assert not ApiToken.objects.exists()


def test_a_user_who_is_not_active_gets_none(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)
    with pytest.raises(CommandError, match="not active"):
        run("create_token", "alice", "CRM")


def test_a_token_is_revoked_by_its_prefix_or_its_number(alice: User) -> None:
    first, second = token("first", alice), token("second", alice)
    assert "Revoked: first" in run("revoke_token", first.token_key)
    assert "Revoked: second" in run("revoke_token", str(second.number))
    assert not ApiToken.objects.filter(revoked_at=None).exists()
    assert AuditEntry.objects.filter(action=Action.TOKEN_REVOKED).count() == 2
    assert "already" in run("revoke_token", f"{first.token_key}…")
    assert AuditEntry.objects.filter(action=Action.TOKEN_REVOKED).count() == 2


def test_several_are_told_apart_by_their_numbers(alice: User) -> None:
    numbers = [str(token(name, alice).number) for name in "ab"]
    with pytest.raises(CommandError) as error:
        run("revoke_token", "wao_")
    assert all(number in str(error.value) for number in numbers)
    assert ApiToken.objects.filter(revoked_at=None).count() == 2


@pytest.mark.parametrize("given", ["", "wao_nothing", "00000000-0000-0000-0000-000000000000"])
def test_what_is_no_token_revokes_nothing(alice: User, given: str) -> None:
    token("CRM", alice)
    with pytest.raises(CommandError, match="no such token"):
        run("revoke_token", given)
    assert ApiToken.objects.filter(revoked_at=None).count() == 1
