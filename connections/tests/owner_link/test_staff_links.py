"""Staff make and revoke links for the owner of a phone."""

from __future__ import annotations

import re
from typing import Any

from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from connections.models import Connection, OwnerLink
from connections.tests.support.owner_pages import (
    LINK,
    TESTS,
    make,
    phone,
    staff,
)
from organizations.actions import set_active

SEEN = re.compile(r'name="seen" value="([^"]+)"')
SECRET = re.compile(r"/link/#([0-9a-f]{40})")


def test_only_operators_make_and_revoke_links(
    connection: Connection, alice: User, bob: User, charlie: User
) -> None:
    for name in ("owner_link", "owner_link_revoke"):
        address = reverse(name, args=[connection.pk])
        answers = {user.username: staff(user).post(address).status_code for user in (bob, charlie)}
        assert answers == {"bob": 403, "charlie": 404}
        assert Client().post(address)["Location"].startswith("/admin/login/")
        assert not OwnerLink.objects.exists()
    told = make(staff(alice), connection).json()
    assert re.fullmatch(r"http://testserver/link/#[0-9a-f]{40}", told["url"])
    assert (told["link"]["state"], told["link"]["by"]) == ("new", "alice")
    assert (
        staff(alice).get(reverse("owner_link", args=[connection.pk])).json()["link"] == told["link"]
    )
    revoked = staff(alice).post(
        reverse("owner_link_revoke", args=[connection.pk]), headers={"Accept": "application/json"}
    )
    assert revoked.json()["link"]["state"] == "revoked"


def test_form_without_scripts_gets_a_page_with_the_link(
    connection: Connection, alice: User
) -> None:
    client = staff(alice)
    page = make(client, connection, "text/html")
    assert "no-store" in page["Cache-Control"]
    found = re.search(r"/link/#([0-9a-f]{40})", page.content.decode())
    assert found is not None
    assert re.search(r"has to be used before \d\d:\d\d\.<", page.content.decode())
    assert phone(found[1]).get(LINK).status_code == 200
    assert found[1] not in client.get(f"/admin/connections/connection/{connection.pk}/change/").text
    page = client.get(f"/admin/connections/connection/{connection.pk}/change/")
    assert "The link was opened. It has not been used yet." in page.text
    answer = client.post(reverse("owner_link_revoke", args=[connection.pk]), follow=True)
    assert "The link was revoked." in answer.text


def test_page_of_a_link_loaded_again_keeps_it_and_asks(connection: Connection, alice: User) -> None:
    client, address = staff(alice), reverse("owner_link", args=[connection.pk])
    page: Any = client.get(f"/admin/connections/connection/{connection.pk}/change/")
    form = {"seen": SEEN.findall(page.text)[0]}
    copied = SECRET.findall(client.post(address, form).text)[0]
    for answer in (client.post(address, form), client.post(address)):
        assert answer.status_code == 200 and not SECRET.search(answer.text)
        assert "Link made by alice: " in answer.text and "it still works" in answer.text
        assert "The link has not been opened yet." in answer.text
    assert OwnerLink.objects.count() == 1
    assert phone(copied).get(LINK).status_code == 200
    # The question knows the link, so its button replaces it: once.
    form = {"seen": SEEN.findall(answer.text)[0]}
    assert SECRET.search(client.post(address, form).text)
    assert not SECRET.search(client.post(address, form).text)
    assert OwnerLink.objects.count() == 2
    for seen in ("", "now", "2026-01-01T00:00"):
        assert client.post(address, {"seen": seen}).status_code == 400


def test_refused_link_shows_the_reason(
    connection: Connection, alice: User, settings: Settings
) -> None:
    settings.OWNER_LINKS_PER_ORGANIZATION = 1
    client = staff(alice)
    assert make(client, connection).status_code == 200
    refused = make(client, connection)
    assert refused.status_code == 409
    assert "Too many links" in refused.json()["message"]
    form = {"seen": timezone.now().isoformat()}
    page = client.post(reverse("owner_link", args=[connection.pk]), form, follow=True)
    assert "Too many links" in page.text
    set_active(connection.organization, False, TESTS)
    assert "deactivated" in make(client, connection).json()["message"]
