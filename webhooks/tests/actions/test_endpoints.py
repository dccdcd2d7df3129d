"""Endpoints are made, changed, paused and deleted by those who may, and that is audited."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.utils import timezone

from organizations.access import for_user
from organizations.actions import create_token, remove_member, revoke_token, set_member
from organizations.models import ApiToken, AuditEntry, Membership, Organization
from organizations.tests.support.api import olivia, root
from webhooks import refusals
from webhooks.actions import endpoints, maintenance
from webhooks.actions.endpoints import NewEndpoint
from webhooks.models import Attempt, Cursor, Delivery, Endpoint
from webhooks.tests.support.events import THE_TESTS, append, make_endpoint, reread

__all__ = ["olivia", "root"]

pytestmark = pytest.mark.django_db

URL = "https://crm.example.com/hooks?key=planted"


def audit() -> list[tuple[str, str]]:
    rows = AuditEntry.objects.filter(action__startswith="webhook").order_by("pk")
    return list(rows.values_list("action", "detail"))


def test_secret_and_url_are_encrypted_and_told_to_the_audit_by_host(
    olivia: User, organization: Organization
) -> None:
    created = endpoints.create(organization, NewEndpoint(URL), for_user(olivia).actor)
    assert created.secret.startswith("whsec_") and created.verify_token is None
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM webhooks_endpoint")
        stored = str(cursor.fetchall())
    assert "planted" not in stored and created.secret not in stored
    found = reread(created.endpoint)
    assert (found.url, found.secret, found.host) == (URL, created.secret, "crm.example.com")
    assert audit() == [("webhook_made", "crm.example.com (standard)")]


@pytest.mark.parametrize(
    "url",
    ["http://crm.example.com/", "https://127.0.0.1/", "https://crm.example.com:22/", "nonsense"],
)
def test_address_that_may_not_be_used_is_refused(
    url: str, organization: Organization, settings: Any
) -> None:
    settings.WEBHOOKS_ALLOW_PRIVATE = False
    with pytest.raises(refusals.BadAddress):
        make_endpoint(organization, url)
    endpoint = make_endpoint(organization, URL)
    with pytest.raises(refusals.BadAddress):
        endpoints.change(endpoint, THE_TESTS, url=url)
    assert Endpoint.objects.count() == 1


def test_only_owners_and_superusers_with_a_reading_token_edit(
    alice: User, bob: User, olivia: User, root: User, organization: Organization
) -> None:
    for user in (alice, bob, root):
        with pytest.raises(PermissionDenied):
            endpoints.create(organization, NewEndpoint(URL), for_user(user).actor)
    made = endpoints.create(organization, NewEndpoint(URL), for_user(olivia).actor).endpoint
    for user in (alice, bob, root):
        with pytest.raises(PermissionDenied):
            endpoints.rotate(made, for_user(user).actor)
    assert endpoints.pause(made, for_user(root).actor).state == "paused"
    with pytest.raises(PermissionDenied):
        endpoints.enable(made, for_user(root).actor)
    assert endpoints.enable(made, for_user(olivia).actor).state == "enabled"


def test_only_superusers_make_endpoints_of_all_organizations(
    olivia: User, root: User, organization: Organization, other_organization: Organization
) -> None:
    with pytest.raises(PermissionDenied):
        endpoints.create(None, NewEndpoint(URL), for_user(olivia).actor)
    made = endpoints.create(None, NewEndpoint(URL), for_user(root).actor).endpoint
    assert Cursor.objects.filter(endpoint=made).count() == 2


def test_there_are_only_so_many(organization: Organization, settings: Any) -> None:
    settings.WEBHOOKS_PER_ORGANIZATION = 2
    first = make_endpoint(organization, URL)
    make_endpoint(organization, URL)
    with pytest.raises(refusals.TooManyWebhooks):
        make_endpoint(organization, URL)
    make_endpoint(None, URL)
    endpoints.delete(first, THE_TESTS)
    make_endpoint(organization, URL)


def test_old_secret_ends_at_once_where_there_is_room_for_one_signature(
    organization: Organization,
) -> None:
    endpoint = make_endpoint(organization, URL)
    Endpoint.objects.update(format="cloud")
    endpoints.rotate(endpoint, THE_TESTS)
    rotated = reread(endpoint)
    assert rotated.secret != endpoint.secret
    assert (rotated.old_secret, rotated.old_secret_until) == (None, None)


def test_rotated_secret_is_new_and_the_old_one_lasts_a_day(organization: Organization) -> None:
    endpoint = make_endpoint(organization, URL)
    rotated = endpoints.rotate(endpoint, THE_TESTS)
    now = timezone.now()
    assert rotated.endpoint.secrets_at(now) == [rotated.secret, endpoint.secret]
    assert rotated.endpoint.secrets_at(now + timedelta(hours=24, minutes=1)) == [rotated.secret]
    Endpoint.objects.update(old_secret_until=now)
    maintenance.clean()
    assert reread(endpoint).old_secret is None


def test_change_is_audited_without_the_path(organization: Organization) -> None:
    endpoint = make_endpoint(organization, URL)
    new = "https://other.example.com:8443/x"
    assert endpoints.change(endpoint, THE_TESTS, url=new).revision == 1
    endpoints.change(endpoint, THE_TESTS, types=["message.status", "message.status"])
    endpoints.pause(endpoint, THE_TESTS)
    endpoints.delete(endpoint, THE_TESTS)
    assert audit()[1:] == [
        ("webhook_changed", "crm.example.com → other.example.com:8443"),
        ("webhook_changed", "other.example.com:8443: message.status"),
        ("webhook_paused", "other.example.com:8443 (paused_by_person)"),
        ("webhook_deleted", "other.example.com:8443"),
    ]


# --- Lost rights ----------------------------------------------------------------------------------


def made_by(user: User, organization: Organization | None) -> Endpoint:
    return make_endpoint(organization, URL, for_user(user).actor)


def test_endpoint_pauses_when_its_maker_is_no_owner_any_more(
    olivia: User, organization: Organization
) -> None:
    endpoint, other = made_by(olivia, organization), make_endpoint(organization, URL)
    set_member(organization, olivia, Membership.Role.OPERATOR, THE_TESTS)
    assert (reread(endpoint).state, reread(endpoint).reason) == ("paused", "maker_lost_right")
    assert reread(other).state == "enabled"


def test_endpoint_pauses_when_its_maker_leaves_or_is_deactivated(
    olivia: User, root: User, organization: Organization
) -> None:
    endpoint = made_by(olivia, organization)
    remove_member(Membership.objects.get(user=olivia), THE_TESTS)
    assert reread(endpoint).reason == "maker_lost_right"
    everywhere = made_by(root, None)
    root.is_active = False
    root.save()
    assert reread(everywhere).reason == "maker_lost_right"


def test_endpoint_of_all_organizations_pauses_when_its_maker_is_no_superuser_any_more(
    root: User,
) -> None:
    endpoint = made_by(root, None)
    root.is_superuser = False
    root.save()
    assert reread(endpoint).reason == "maker_lost_right"


def with_token(olivia: User, organization: Organization, **options: Any) -> tuple[Any, Endpoint]:
    scopes = [ApiToken.MessageScope.READ]
    token, _ = create_token(olivia, "a test", THE_TESTS, message_scopes=scopes, **options)
    endpoint = made_by(olivia, organization)
    Endpoint.objects.filter(pk=endpoint.pk).update(token=token)
    return token, endpoint


def test_endpoint_pauses_with_the_token_that_made_it(
    olivia: User, organization: Organization
) -> None:
    token, endpoint = with_token(olivia, organization)
    revoke_token(token, THE_TESTS)
    assert reread(endpoint).reason == "maker_lost_right"


def test_endpoint_pauses_when_its_token_expires(olivia: User, organization: Organization) -> None:
    _, endpoint = with_token(olivia, organization, expires_at=timezone.now())
    assert reread(endpoint).state == "enabled"
    maintenance.clean()
    assert reread(endpoint).reason == "maker_lost_right"


def test_owner_who_enables_it_answers_for_it(olivia: User, organization: Organization) -> None:
    token, endpoint = with_token(olivia, organization)
    revoke_token(token, THE_TESTS)
    endpoints.enable(endpoint, for_user(olivia).actor)
    found = reread(endpoint)
    assert (found.state, found.token, found.user, found.made_by) == (
        *("enabled", None, olivia, "olivia"),
    )


# --- Deletion -------------------------------------------------------------------------------------


def test_deleted_endpoint_forgets_its_secrets_at_once_and_its_rows_later(
    organization: Organization,
) -> None:
    append(organization)
    endpoint = make_endpoint(organization, URL, after=0)
    delivery = Delivery.objects.create(
        endpoint=endpoint,
        organization=organization,
        cursor=Cursor.objects.get(),
        sequence=1,
        type="message.received",
        event_at=timezone.now(),
    )
    Attempt.objects.create(
        delivery=delivery, endpoint=endpoint, number=1, at=timezone.now(), milliseconds=1
    )
    endpoints.delete(endpoint, THE_TESTS)
    found = reread(endpoint)
    assert (found.url, found.secret, found.old_secret) == ("", "", None)
    assert not Endpoint.objects.present().exists()
    maintenance.clean()
    for model in (Endpoint, Cursor, Delivery, Attempt):
        assert not model.objects.exists()


def test_deliveries_are_kept_for_thirty_days_after_their_end(organization: Organization) -> None:
    endpoint = make_endpoint(organization, URL)
    now = timezone.now()
    for sequence, days in ((1, 31), (2, 29), (3, None)):
        Delivery.objects.create(
            endpoint=endpoint,
            organization=organization,
            cursor=Cursor.objects.get(),
            sequence=sequence,
            type="message.received",
            event_at=now,
            ended_at=None if days is None else now - timedelta(days=days),
        )
    assert maintenance.clean() is False
    assert sorted(Delivery.objects.values_list("sequence", flat=True)) == [2, 3]
