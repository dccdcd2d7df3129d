"""Browsers at the page behind a link for the phone's owner."""

from __future__ import annotations

import re
from typing import Any

from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from connections.models import Connection
from organizations.access import Actor

OTHER_SPELLING = "551187654321"
LINK = "/link/"
SOCKET = "/ws/link/"
GONE = "This link is no longer valid. Ask for a new one."
TESTS = Actor("the tests")


def phone(secret: str = "", **headers: str) -> Client:
    """A browser, which opens this link."""
    client = Client(headers=headers)
    if secret:
        answer = client.post(LINK, {"link": f"http://localhost/link/#{secret}"})
        assert (answer.status_code, answer["Location"]) == (302, LINK)
    return client


def text_of(answer: Any) -> str:
    """The page without what differs from one time to the next."""
    return re.sub(r'value="\w{64}"', "", answer.content.decode())


def staff(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def make(client: Client, connection: Connection, accept: str = "application/json") -> Any:
    """Press the button, with a script or without one, on a page that was loaded just now."""
    address = reverse("owner_link", args=[connection.pk])
    form = {} if accept == "application/json" else {"seen": timezone.now().isoformat()}
    return client.post(address, form, headers={"Accept": accept})
