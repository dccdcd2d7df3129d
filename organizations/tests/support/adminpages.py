"""Helpers for tests of Django admin."""

from typing import Any

from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from organizations.access import Actor
from organizations.actions import create_token
from organizations.models import ApiToken, Organization


def address(model: str, page: str = "changelist", /, *arguments: object, **query: object) -> str:
    """Return the URL of an admin page: `address("membership", "change", 3)`."""
    app = "connections" if model.startswith(("connection", "pairing")) else "organizations"
    found = reverse(f"admin:{app}_{model}_{page}", args=arguments)
    return found + "?" * bool(query) + "&".join(f"{name}={query[name]}" for name in query)


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def shown(user: User, url: str) -> str:
    """Return the HTML of a page, loaded by this user."""
    response = browser(user).get(url)
    assert response.status_code == 200, response
    return response.content.decode()


def rows(user: User, url: str) -> list[Any]:
    """Return the rows of a change list, loaded by this user."""
    response: Any = browser(user).get(url)
    assert response.status_code == 200, response
    return list(response.context["cl"].result_list)


def token(name: str, user: User, organization: Organization | None = None) -> ApiToken:
    return create_token(user, name, Actor("the tests"), organization=organization)[0]
