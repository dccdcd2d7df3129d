"""Who may send and read messages: members by role, tokens by scope, nobody by `manage` alone."""

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied

from organizations import actions
from organizations.access import MESSAGE_PERMISSIONS, Actor, Caller, Permission, for_user
from organizations.models import ApiToken, AuditEntry, Membership, Organization
from organizations.tests.support.users import member

Scope, MessageScope = ApiToken.Scope, ApiToken.MessageScope
Role = Membership.Role

TESTS = Actor("the tests")
SEND, READ = Permission.SEND_MESSAGES, Permission.READ_MESSAGES


@pytest.fixture
def olga(organization: Organization) -> User:
    """Return an owner of the organization."""
    return member("olga", organization, Role.OWNER)


@pytest.fixture
def root(db: None) -> User:
    return User.objects.create(username="root", is_staff=True, is_superuser=True)


def messages(caller: Caller, organization: Organization) -> set[Permission]:
    """Return the caller's rights to messages, which both ways of asking agree on."""
    rights = set(caller.permissions(organization) & MESSAGE_PERMISSIONS)
    for permission in MESSAGE_PERMISSIONS:
        if permission in rights:
            assert caller.organization(organization.pk, permission) == organization
        else:
            with pytest.raises(PermissionDenied, match="messages"):
                caller.organization(organization.pk, permission)
    return rights


def caller(
    user: User,
    scope: ApiToken.Scope = Scope.MANAGE,
    message_scopes: tuple[ApiToken.MessageScope, ...] = (),
    organization: Organization | None = None,
) -> Caller:
    """Return the caller of a new token."""
    token, _ = actions.create_token(
        user, "x", TESTS, scope=scope, message_scopes=message_scopes, organization=organization
    )
    return Caller(user, token)


def test_owner_sends_and_reads_and_viewer_does_neither(
    olga: User, bob: User, organization: Organization
) -> None:
    assert messages(for_user(olga), organization) == {SEND, READ}
    assert messages(for_user(bob), organization) == set()


def test_operator_needs_the_owners_consent(
    olga: User, alice: User, organization: Organization
) -> None:
    assert messages(for_user(alice), organization) == set()
    actions.set_operators_read_messages(organization, True, for_user(olga).actor)
    assert messages(for_user(alice), organization) == {SEND, READ}
    actions.set_operators_read_messages(organization, True, for_user(olga).actor)
    actions.set_operators_read_messages(organization, False, for_user(olga).actor)
    assert messages(for_user(alice), organization) == set()
    found = [entry.action for entry in AuditEntry.objects.order_by("pk")]
    assert found == ["messages_opened", "messages_closed"]


def test_operator_cannot_give_the_consent(alice: User, organization: Organization) -> None:
    with pytest.raises(PermissionDenied):
        actions.set_operators_read_messages(organization, True, for_user(alice).actor)


def test_superuser_in_person_sends_and_does_not_read(
    root: User, organization: Organization
) -> None:
    assert messages(for_user(root), organization) == {SEND}


@pytest.mark.parametrize("scope", Scope)
def test_token_without_message_scopes_does_neither(
    olga: User, root: User, organization: Organization, scope: ApiToken.Scope
) -> None:
    for user in (olga, root):
        assert messages(caller(user, scope), organization) == set()
    assert messages(caller(olga, scope, organization=organization), organization) == set()


@pytest.mark.parametrize("scope", Scope)
@pytest.mark.parametrize("kind", ["owner's", "organization's", "superuser's"])
def test_token_does_what_its_message_scopes_say(
    olga: User, root: User, organization: Organization, scope: ApiToken.Scope, kind: str
) -> None:
    user = root if kind == "superuser's" else olga
    own = organization if kind == "organization's" else None
    sends = caller(user, scope, (MessageScope.SEND,), own)
    reads = caller(user, scope, (MessageScope.READ,), own)
    assert messages(sends, organization) == {SEND}
    assert messages(reads, organization) == {READ}


def test_personal_token_has_no_more_rights_than_its_user(
    alice: User, organization: Organization
) -> None:
    assert messages(caller(alice, message_scopes=tuple(MessageScope)), organization) == set()


def test_organizations_token_has_no_rights_elsewhere(
    olga: User, organization: Organization, other_organization: Organization
) -> None:
    own = caller(olga, message_scopes=tuple(MessageScope), organization=organization)
    assert own.permissions(other_organization) == frozenset()


# --- Who may grant ------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", MessageScope)
def test_owner_grants_both(
    olga: User, organization: Organization, scope: ApiToken.MessageScope
) -> None:
    for own in (organization, None):
        actions.create_token(
            olga, "x", for_user(olga).actor, organization=own, message_scopes=[scope]
        )
    assert ApiToken.objects.count() == 2


def test_superuser_in_person_cannot_grant_reading(root: User, organization: Organization) -> None:
    actor = for_user(root).actor
    for own in (organization, None):
        actions.create_token(root, "x", actor, organization=own, message_scopes=[MessageScope.SEND])
        with pytest.raises(PermissionDenied, match="that you do not have yourself"):
            actions.create_token(
                root, "x", actor, organization=own, message_scopes=[MessageScope.READ]
            )
    assert not ApiToken.objects.filter(reads_messages=True).exists()


def test_token_grants_only_its_own_scopes(olga: User, organization: Organization) -> None:
    sender = caller(olga, message_scopes=(MessageScope.SEND,))
    for own in (organization, None):
        actions.create_token(
            olga, "x", sender.actor, organization=own, message_scopes=[MessageScope.SEND]
        )
        with pytest.raises(PermissionDenied, match="that you do not have yourself"):
            actions.create_token(
                olga, "x", sender.actor, organization=own, message_scopes=[MessageScope.READ]
            )
