"""Troubles that other apps report: webhooks, and any kind to come."""

import pytest
from django.contrib.auth.models import User

from events import troubles
from events.troubles import TroubleReport
from notices.actions.sending import troubles_of
from notices.names import clean
from notices.tests.support.people import planned, told_at
from notices.tests.support.time import let_pass
from notices.texts import text_of
from organizations.access import Actor
from organizations.models import Organization
from webhooks.actions.states import change_state
from webhooks.models import Endpoint
from webhooks.tests.support.events import make_endpoint

pytestmark = pytest.mark.django_db

State, Reason = Endpoint.State, Endpoint.Reason
SERVICE = Actor("a test")


def told() -> list[tuple[str, str]]:
    """Plan, and return who is told of what."""
    return [
        (notice.user.username, text_of(notice, troubles_of(notice), clean).subject)
        for notice in planned()
    ]


def test_webhook_that_the_service_turns_off_is_told_once_and_by_its_host_only(
    organization: Organization, alice: User, charlie: User
) -> None:
    for user in (alice, charlie):
        told_at(user)
    endpoint = make_endpoint(organization, "https://crm.example.com/secret-path")
    change_state(endpoint, State.DISABLED, Reason.FAILING, SERVICE)
    (notice,) = planned()
    text = text_of(notice, troubles_of(notice), clean)
    what = "The webhook to crm.example.com is turned off: it failed for five days"
    assert (notice.user, text.subject) == (alice, f"[Acme] {what}")
    page = f"/admin/connections/connection/{organization.pk}/webhooks/{endpoint.public_id}/"
    assert text.url == f"https://orgs.example.com{page}"
    # A person takes care of it, and knows that.
    change_state(endpoint, State.ENABLED, "", SERVICE)
    let_pass(minutes=5)
    change_state(endpoint, State.PAUSED, Reason.PAUSED_BY_PERSON, SERVICE)
    assert told() == []


def test_webhook_of_all_organizations_is_told_to_administrators_only(
    organization: Organization, alice: User
) -> None:
    root = User.objects.create(username="root", is_superuser=True)
    for user in (alice, root):
        told_at(user)
    endpoint = make_endpoint(None, "https://crm.example.com/")
    change_state(endpoint, State.DISABLED, Reason.GONE, SERVICE)
    answered = "The webhook to crm.example.com is turned off: the server answered 410 Gone"
    assert told() == [("root", answered)]


def test_reported_trouble_is_told_again_only_when_it_needs_a_person(
    organization: Organization, alice: User
) -> None:
    told_at(alice)
    path = f"/admin/connections/connection/{organization.pk}/change/"
    kind, step = "phone", "Open WhatsApp on the phone."
    values = {"days": "10"}
    sentence = "The phone has not been seen for {days} days."
    warning = TroubleReport(
        organization.pk, kind, sentence, step, path, values=values, needs_action=False
    )
    troubles.begin(warning)
    troubles.begin(warning)
    seen = "The phone has not been seen for 10 days"
    assert told() == [("alice", f"[Acme] {seen}")]
    troubles.begin(
        TroubleReport(organization.pk, kind, sentence, step, path, values={"days": "12"})
    )
    assert told() == [("alice", f"[Acme] {seen.replace('10', '12')}")]
    troubles.end(organization.pk, kind, recovered=True)
    let_pass(minutes=1)
    assert told() == [("alice", f"[Acme] This is over: {seen.replace('10', '12')}")]


def test_ends_of_other_troubles_in_many_organizations_are_not_those_of_connections(
    db: None,
) -> None:
    told_at(User.objects.create(username="root", is_superuser=True))
    sentence = "The phone has not been seen for {days} days."
    made = [Organization.objects.create(name=name) for name in ("Beta", "Gama", "Delta")]
    for organization in made:
        path = f"/admin/connections/connection/{organization.pk}/change/"
        values = {"days": "12"}
        troubles.begin(TroubleReport(organization.pk, "phone", sentence, "", path, values=values))
    let_pass(minutes=1)
    assert told() == [("root", "3 organizations are in trouble")]
    for organization in made:
        troubles.end(organization.pk, "phone", recovered=True)
    let_pass(minutes=2)
    (notice,) = planned()
    text = text_of(notice, troubles_of(notice), clean)
    assert text.heading == "Troubles in 3 organizations are over"
    over = "This is over: The phone has not been seen for 12 days."
    assert [item.sentence for item in text.items] == [over] * 3
