"""Signed links in messages: they confirm an address, and stop what is sent there."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils.translation import override

from notices.actions import addresses
from notices.links import stop_url
from notices.models import Address
from notices.tests.support.people import send_all, told_at
from notices.tests.support.servers import MailServer
from organizations.access import Actor
from organizations.audit_labels import translate_actor
from organizations.models import AuditEntry

SITE = "https://orgs.example.com"


@pytest.mark.django_db(transaction=True)
def test_address_is_told_only_after_its_link_was_opened_and_confirmed(
    alice: User, mails: MailServer
) -> None:
    addresses.add(alice, Address.Kind.MAIL, "alice@example.com", Actor("a test"))
    send_all()
    body = mails.mails[0].get_body(("plain",))
    assert body is not None
    found = re.search(rf"{SITE}(/notices/confirm/\S+)", body.get_content())
    assert found is not None
    reader = Client()
    page = reader.get(found[1], headers={"host": "evil.example.com"})
    assert page.status_code == 400
    assert reader.get(found[1]).status_code == 200
    # Mail programs open links by themselves.
    assert not Address.objects.get().is_on
    assert reader.post(found[1]).status_code == 200
    assert Address.objects.get().is_on
    assert reader.post(found[1]).status_code == 410
    assert Client().get(found[1][:-3] + "xx/").status_code == 410


@pytest.mark.django_db
def test_one_click_stops_an_address_without_login_and_only_by_post(alice: User) -> None:
    address = told_at(alice)
    path = stop_url(address).removeprefix(SITE)
    reader = Client(enforce_csrf_checks=True)
    assert reader.get(path).status_code == 200
    assert Address.objects.get().is_on
    response = reader.post(path, {"List-Unsubscribe": "One-Click"})
    assert response.status_code == 200
    assert response["X-Robots-Tag"] == "noindex, nofollow"
    assert not Address.objects.get().is_on
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.detail) == ("notice_address_stopped", "alice: mail at example.com")
    with override("pt-br"):
        assert translate_actor(entry.actor) == "link de um aviso"
    Address.objects.all().delete()
    assert reader.post(path).status_code == 410
