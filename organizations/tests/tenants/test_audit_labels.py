"""Labels and details of audit entries are translated to the reader's language."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone, translation

from organizations import actions, audit_labels, invitations
from organizations.access import COMMAND_LINE, Actor, for_user
from organizations.models import ApiToken, AuditEntry, Membership, Organization
from organizations.tests.support.adminpages import address, browser

Role = Membership.Role


def newest() -> str:
    return audit_labels.translate_detail(AuditEntry.objects.all()[0])


def test_changed_settings_have_the_labels_of_their_page(organization: Organization) -> None:
    AuditEntry.objects.create(
        organization=organization,
        action=AuditEntry.Action.MESSAGE_SETTINGS_CHANGED,
        detail="messages_per_minute: None → 20, groups: False → True, retired: 1 → 2",
        actor="bob",
    )
    assert newest() == (
        "Messages a minute: as in the installation → 20, Keep messages of groups: no → yes, "
        "retired: 1 → 2"
    )
    with translation.override("pt-br"):
        assert newest().startswith("Mensagens por minuto: ")


def test_detail_is_translated(organization: Organization, bob: User) -> None:
    maker = Actor("bob", bob)
    with translation.override("pt-br"):
        actions.set_expected_number(organization, "5511987654321", COMMAND_LINE)
        assert newest() == "qualquer um → +55 11 98765-4321"
        organization.memberships.all().delete()
        actions.set_member(organization, bob, Role.VIEWER, maker)
        assert newest() == "bob: leitor"
        actions.set_member(organization, bob, Role.OWNER, maker)
        assert newest() == "bob: leitor → proprietário"
        actions.create_token(bob, "crm", maker, scope=ApiToken.Scope.READ)
        assert newest() == "crm (ler) para bob"
        actions.create_token(bob, "crm", maker, organization=organization)
        assert newest() == "crm (gerenciar)"
        actions.create_token(
            bob,
            "crm",
            maker,
            organization=organization,
            message_scopes=[ApiToken.MessageScope.SEND],
            expires_at=timezone.now() + timedelta(days=1),
            kind=ApiToken.Kind.GRAPH,
        )
        assert newest() == "crm (ler, messages:send, graph)"
        actions.rename_organization(organization, "any: owner → viewer", maker)
        assert newest() == "Acme → any: owner → viewer"
    stored = AuditEntry.objects.values_list("detail", flat=True)
    assert "any → +55 11 98765-4321" in stored and "bob: viewer → owner" in stored


def test_details_of_invitations_are_translated(organization: Organization, bob: User) -> None:
    organization.memberships.update(role=Role.OWNER)
    erin = User.objects.create(username="erin")
    with translation.override("pt-br"):
        created = invitations.invite(organization, "erin", Role.OPERATOR, for_user(bob))
        assert newest() == "erin: operador"
        invitations.decline(created.pk, for_user(erin))
        assert newest() == "Acme: erin: operador"
        created = invitations.invite(organization, "erin", Role.OWNER, for_user(bob))
        invitations.accept(created.pk, for_user(erin))
        assert newest() == "erin: proprietário, por convite de bob"


@pytest.mark.django_db
def test_actor_is_translated(organization: Organization, bob: User) -> None:
    token, _ = actions.create_token(bob, "crm", COMMAND_LINE)
    with_token = type(for_user(bob))(bob, token).actor.label
    with translation.override("es"):
        assert audit_labels.translate_actor(COMMAND_LINE.label) == "línea de comandos"
        assert audit_labels.translate_actor(with_token) == "bob (token de API crm)"
        assert audit_labels.translate_actor("API token {user}") == "token de API {user}"
        assert audit_labels.translate_actor("bob") == "bob"
    with translation.override("en"):
        assert audit_labels.translate_actor(with_token) == with_token == "bob (API token crm)"


def test_audit_page_is_translated(admin_user: User, organization: Organization) -> None:
    actions.set_expected_number(organization, "5511987654321", COMMAND_LINE)
    page = browser(admin_user).get(address("auditentry"), headers={"Accept-Language": "es"})
    assert "cualquiera → +55 11 98765-4321" in page.content.decode()
    assert "línea de comandos" in page.content.decode()
