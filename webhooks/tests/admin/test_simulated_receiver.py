"""Catch it here: only with the simulator, for those who may add endpoints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from pytest_django import Settings

from connections import simulator_bridge
from organizations.models import Organization
from organizations.tests.support.adminpages import browser, shown
from simulator.process import Simulator, start
from webhooks.models import Endpoint
from webhooks.tests.admin.test_edit_webhook import press, told

BUTTON = "Catch events here"


@pytest.fixture
def running(settings: Settings, tmp_path: Path) -> Iterator[Simulator]:
    settings.WEBHOOKS_ALLOW_PRIVATE = False
    settings.WHATSAPP_SERVER = "simulator"
    settings.SIMULATOR_STATE = tmp_path / "simulator.json"
    with start(tmp_path) as simulator:
        yield simulator


def page(organization: Organization) -> str:
    return reverse("webhooks", args=[organization.pk])


def catch(user: User, organization: Organization) -> Endpoint:
    browser(user).post(reverse("webhook_catch", args=[organization.pk]))
    return Endpoint.objects.get()


def test_owner_adds_it_once_and_it_knows_the_secret(
    olga: User, organization: Organization, running: Simulator
) -> None:
    assert BUTTON in shown(olga, page(organization))
    endpoint = catch(olga, organization)
    assert catch(olga, organization) == endpoint
    assert endpoint.organization == organization
    assert endpoint.url.startswith(f"{running.hooks_url}/")
    html = shown(olga, page(organization))
    assert "It takes what arrives." in html and "Nothing has arrived yet." in html
    assert BUTTON not in html


def test_switch_lets_it_answer_500_and_200_again(
    olga: User, organization: Organization, running: Simulator
) -> None:
    name = catch(olga, organization).url.rpartition("/")[2]
    for answer, fails in (("500", True), ("200", False)):
        browser(olga).post(
            reverse("webhook_catch_answer", args=[organization.pk]), {"answer": answer}
        )
        assert simulator_bridge.read_receiver(name).fails == fails
        assert ("It answers 500." in shown(olga, page(organization))) == fails


def test_new_secret_is_passed_on(
    olga: User, organization: Organization, running: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {}
    monkeypatch.setattr(
        simulator_bridge, "set_receiver", lambda name, **changes: given.update({name: changes})
    )
    endpoint = catch(olga, organization)
    press(olga, endpoint, "webhook_rotate")
    endpoint.refresh_from_db()
    assert given == {endpoint.url.rpartition("/")[2]: {"secret": endpoint.secret}}


def test_administrator_gets_one_of_the_installation(
    root: User, organization: Organization, running: Simulator
) -> None:
    response = browser(root).post(reverse("webhook_catch", args=[organization.pk]))
    assert response["Location"] == page(organization)
    assert Endpoint.objects.get().organization is None
    assert "It takes what arrives." in shown(root, page(organization))
    assert "It takes what arrives." in shown(root, reverse("webhooks"))


@pytest.mark.parametrize("user", ["alice", "bob"])
def test_others_do_not_see_it(
    user: str, organization: Organization, running: Simulator, request: pytest.FixtureRequest
) -> None:
    person = request.getfixturevalue(user)
    assert "Catch it here" not in shown(person, page(organization))
    response = browser(person).post(reverse("webhook_catch", args=[organization.pk]))
    assert response.status_code == 403 and not Endpoint.objects.exists()


def test_stopped_simulator_is_said(
    olga: User, organization: Organization, running: Simulator
) -> None:
    catch(olga, organization)
    running.stop()
    assert "The simulated receiver did not answer" in shown(olga, page(organization))
    response = browser(olga).post(
        reverse("webhook_catch_answer", args=[organization.pk]), {"answer": "500"}
    )
    assert told(response)[0].startswith("The simulated receiver did not answer")


def test_there_is_none_with_whatsapp_itself(
    olga: User, organization: Organization, running: Simulator, settings: Settings
) -> None:
    settings.WHATSAPP_SERVER = "live"
    assert "Catch it here" not in shown(olga, page(organization))
    for name in ("webhook_catch", "webhook_catch_answer"):
        address = reverse(name, args=[organization.pk])
        assert browser(olga).post(address).status_code == 404
    assert not Endpoint.objects.exists()
