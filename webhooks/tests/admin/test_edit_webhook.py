"""Add, change, rotate, pause and delete webhooks on the pages."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.messages import get_messages
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from organizations.models import Organization
from organizations.tests.support.adminpages import browser, shown
from webhooks.admin.signature_checks import CHECKS
from webhooks.formats import FORMATS, OutgoingRequest
from webhooks.models import Cursor, Delivery, Endpoint
from webhooks.tests.support.past import HOST, URL


def press(user: User, endpoint: Endpoint, name: str, **data: Any) -> Any:
    """Post to a page of an endpoint."""
    address = reverse(name, args=[endpoint.organization_id, endpoint.public_id])
    return browser(user).post(address, data)


def told(response: Any) -> list[str]:
    """What the next page says on top."""
    return [str(message) for message in get_messages(response.wsgi_request)]


def add(user: User, organization: Organization, **data: Any) -> Any:
    address = reverse("webhook_add", args=[organization.pk])
    return browser(user).post(address, {"url": URL, **data})


def test_new_secret_is_shown_once_and_never_cached(olga: User, organization: Organization) -> None:
    response = add(olga, organization, types=["message.received", "message.status"])
    endpoint = Endpoint.objects.get()
    html = response.content.decode()
    assert response.status_code == 200 and f">{endpoint.secret}</pre>" in html
    assert "no-store" in response["Cache-Control"]
    assert (endpoint.url, endpoint.host) == (URL, HOST)
    assert endpoint.types == ["message.received", "message.status"]
    assert endpoint.made_by == "olga" and endpoint.format == "standard"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "Write the address."),
        ("crm.example.com", "This address cannot be reached"),
        ("https://10.0.0.7/", "This address cannot be reached"),
        ("https://crm.example.com:22/", "This address cannot be reached"),
    ],
)
def test_bad_address_stays_in_the_form_and_makes_nothing(
    olga: User, organization: Organization, settings: Settings, url: str, says: str
) -> None:
    settings.WEBHOOKS_ALLOW_PRIVATE = False
    response = add(olga, organization, url=url, types=["media.ready"])
    html = response.content.decode()
    assert response.status_code == 400 and not Endpoint.objects.exists()
    assert says in html and 'aria-invalid="true"' in html
    assert f'value="{url}"' in html and 'value="media.ready" checked' in html


@pytest.mark.parametrize("data", [{"types": ["nonsense"]}, {"format": "nonsense"}])
def test_unknown_types_and_formats_are_refused(
    olga: User, organization: Organization, data: dict[str, Any]
) -> None:
    assert add(olga, organization, **data).status_code == 400
    assert not Endpoint.objects.exists()


def test_form_says_when_there_are_too_many(
    olga: User, organization: Organization, settings: Settings
) -> None:
    settings.WEBHOOKS_PER_ORGANIZATION = 1
    add(olga, organization)
    response = add(olga, organization)
    assert response.status_code == 400
    assert "Delete one first." in response.content.decode()
    assert Endpoint.objects.count() == 1


def test_changed_address_and_types_are_saved(olga: User, endpoint: Endpoint) -> None:
    page = reverse("webhook_edit", args=[endpoint.organization_id, endpoint.public_id])
    assert f'value="{URL.replace("&", "&amp;")}"' in shown(olga, page)
    new = "https://erp.example.com/"
    response = press(olga, endpoint, "webhook_edit", url=new, types=["media.ready"])
    endpoint.refresh_from_db()
    assert told(response) == ["The changes are saved."]
    assert (endpoint.url, endpoint.types) == (new, ["media.ready"])


def test_rotated_secret_is_shown_and_the_old_one_signs_for_a_day(
    olga: User, endpoint: Endpoint
) -> None:
    html = press(olga, endpoint, "webhook_rotate").content.decode()
    old = endpoint.secret
    endpoint.refresh_from_db()
    assert f">{endpoint.secret}</pre>" in html and old not in html
    assert endpoint.secrets_at(timezone.now()) == [endpoint.secret, old]


def test_pause_and_turn_on(olga: User, endpoint: Endpoint) -> None:
    assert told(press(olga, endpoint, "webhook_pause"))[0].startswith("It is paused.")
    endpoint.refresh_from_db()
    assert endpoint.state == "paused"
    page = reverse("webhook", args=[endpoint.organization_id, endpoint.public_id])
    html = shown(olga, page)
    assert ">Turn on<" in html and ">Pause<" not in html
    assert "Events wait until it is turned on." in html
    assert told(press(olga, endpoint, "webhook_enable"))[0].startswith("It is on.")
    endpoint.refresh_from_db()
    assert endpoint.state == "enabled"


def test_delete_asks_first(olga: User, endpoint: Endpoint) -> None:
    page = reverse("webhook_delete", args=[endpoint.organization_id, endpoint.public_id])
    assert f"Delete the webhook to {HOST}?" in shown(olga, page)
    assert Endpoint.objects.present().exists()
    assert told(press(olga, endpoint, "webhook_delete")) == ["The webhook is deleted."]
    assert not Endpoint.objects.present().exists()
    assert browser(olga).get(page).status_code == 404


def test_test_event_is_a_delivery_of_the_log(olga: User, endpoint: Endpoint) -> None:
    assert told(press(olga, endpoint, "webhook_test")) == ["A test event is on its way."]
    delivery = Delivery.objects.get()
    assert delivery.cursor.kind == Cursor.Kind.TEST
    page = reverse("webhook", args=[endpoint.organization_id, endpoint.public_id])
    assert "webhook.test" in shown(olga, page)


# --- The code that the page offers to copy --------------------------------------------------------

BODY = '{"text": "Olá"}'.encode()


def runs_python(code: str, headers: dict[str, str], body: bytes, secret: str) -> bool:
    script = f"{code}\nprint(is_genuine({headers!r}, {body!r}))"
    return run([sys.executable, "-c", script], secret)


def runs_node(code: str, headers: dict[str, str], body: bytes, secret: str) -> bool:
    call = f"isGenuine({headers!r}, Buffer.from('{body.hex()}', 'hex'))"
    return run(["node", "-e", f"{code}\nconsole.log({call} ? 'True' : 'False')"], secret)


def run(command: list[str], secret: str) -> bool:
    environment = {**os.environ, "WEBHOOK_SECRET": secret}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip() == "True"


@pytest.mark.parametrize("form", sorted(FORMATS))
@pytest.mark.parametrize("runs", [runs_python, runs_node])
def test_copied_code_believes_what_is_sent_and_nothing_else(
    form: str, runs: Any, organization: Organization
) -> None:
    code = CHECKS[form, "python" if runs is runs_python else "node"]
    secret, old = FORMATS[form].new_secret(), FORMATS[form].new_secret()
    now = timezone.now()
    endpoint = Endpoint(organization=organization, secret=secret, format=form)
    if form == "standard":
        endpoint.old_secret, endpoint.old_secret_until = old, now + timedelta(hours=1)
    headers = FORMATS[form].sign(OutgoingRequest(BODY), endpoint, "id-1", now)
    sent = {name.lower(): value for name, value in headers.items()}
    assert runs(code, sent, BODY, secret)
    assert not runs(code, sent, BODY + b" ", secret)
    assert not runs(code, {}, BODY, secret)
    assert not runs(code, sent, BODY, FORMATS[form].new_secret())
    if form == "standard":
        assert runs(code, sent, BODY, old)
        assert not runs(code, sent | {"webhook-timestamp": str(int(time.time()) - 600)}, BODY, old)
