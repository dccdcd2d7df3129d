"""Validation of names in models, API, admin and commands."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import translation

from organizations.models import ApiToken, Organization
from organizations.names import validate_name
from organizations.tests.support.adminpages import address
from organizations.tests.support.api import Api, error, root

__all__ = ["root"]

LINE = "A name is one line: remove the line break or tab ({code})."
CONTROL = "Remove the control character {code}."
DIRECTION = "Remove {code}, which changes the direction of writing."
INVISIBLE = "Remove the invisible character {code}."
NOTHING = "A name must have a character that can be seen."

# Characters that are refused in a name, and the error messages.
REFUSED = [
    *((character, LINE) for character in "\t\n\v\f\r\x85\u2028\u2029"),
    *((character, CONTROL) for character in "\x01\x1b\x7f\x9f"),
    *((character, DIRECTION) for character in "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e"),
    *((character, DIRECTION) for character in "\u2066\u2067\u2068\u2069"),
    *((character, INVISIBLE) for character in "\u00ad\u180e\u200b\u2060\u206a\ufeff\ufff9"),
    *((character, INVISIBLE) for character in "\u115f\u1160\u3164\uffa0\U0001d173\U000e0041"),
]
KEPT = [
    "Padaria São João & Filhos <b>\"Pão\"</b> 'n'",
    "مخبز النجمة",
    "می\u200cخواهم",
    "क्\u200dष",
    "👩\u200d👩\u200d👧\u200d👦 Família 🇧🇷",
    "❤\ufe0f",
    "e\u0301",
    "two  spaces\u00a0kept",
    "\u0600١",
]
EMPTY = ["\u200d", "\u200c\u200d", "\ufe0f", "\u2800", "\u2800 \u200d"]

each_refused = pytest.mark.parametrize(
    ("character", "message"), REFUSED, ids=[f"U+{ord(character):04X}" for character, _ in REFUSED]
)
# One character of each kind, for callers of the same validator.
SOME = [REFUSED[1], REFUSED[6], REFUSED[9], REFUSED[17], REFUSED[26]]
each_kind = pytest.mark.parametrize(
    ("character", "message"), SOME, ids=[f"U+{ord(character):04X}" for character, _ in SOME]
)


def sentence(character: str, message: str) -> str:
    return message.format(code=f"U+{ord(character):04X}")


@each_refused
def test_refused_character_is_named(character: str, message: str) -> None:
    with pytest.raises(ValidationError) as refused:
        validate_name(f"ab{character}cd")
    assert refused.value.messages == [sentence(character, message)]


@pytest.mark.parametrize("name", KEPT)
def test_names_in_all_scripts_are_accepted(name: str) -> None:
    validate_name(name)


@pytest.mark.parametrize("name", EMPTY)
def test_invisible_name_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match=NOTHING):
        validate_name(name)


@each_kind
@pytest.mark.parametrize("field", ["organization", "token"])
def test_models_refuse_invalid_names(alice: User, field: str, character: str, message: str) -> None:
    created = (
        Organization(name=f"a{character}b")
        if field == "organization"
        else ApiToken(name=f"a{character}b")
    )
    with pytest.raises(ValidationError) as refused:
        created.full_clean()
    assert refused.value.message_dict["name"] == [sentence(character, message)]


@each_kind
def test_api_refuses_invalid_names(
    root: User, organization: Organization, character: str, message: str
) -> None:
    api, body = Api(root), {"name": f"a{character}b"}
    here = f"/organizations/{organization.pk}"
    tokens, before = ApiToken.objects.count(), organization.name
    for method, path in (
        ("post", "/organizations"),
        ("patch", here),
        ("post", f"{here}/tokens"),
        ("post", "/tokens"),
    ):
        response = api(method, path, body)
        assert error(response)[:2] == (400, "invalid"), (method, path)
        assert sentence(character, message) in error(response)[2]
    organization.refresh_from_db()
    assert (organization.name, Organization.objects.count()) == (before, 1)
    assert ApiToken.objects.count() == tokens


@each_kind
def test_admin_refuses_invalid_names(
    admin_client: Client, organization: Organization, character: str, message: str
) -> None:
    name = f"a{character}b"
    forms: list[tuple[str, dict[str, Any]]] = [
        (address("organization", "add"), {"name": name}),
        (address("organization", "change", organization.pk), {"name": name}),
        (address("apitoken", "add"), {"name": name, "scope": "read", "reach": "user"}),
        (
            "/admin/auth/user/add/",
            {"username": name, "password1": "a long one 7", "password2": "a long one 7"},
        ),
    ]
    for page, form in forms:
        response: Any = admin_client.post(page, form)
        assert response.status_code == 200, page
        actual = [text for texts in response.context["errors"] for text in texts]
        assert sentence(character, message) in actual, page
    assert list(Organization.objects.values_list("name", flat=True)) == ["Acme"]
    assert not ApiToken.objects.exists()


@each_kind
def test_commands_refuse_invalid_names(alice: User, character: str, message: str) -> None:
    name = f"a{character}b"
    with pytest.raises(CommandError) as refused:
        call_command("create_organization", "fine", name, stdout=io.StringIO())
    assert str(refused.value) == f"{name!a} is no name. {sentence(character, message)}"
    with pytest.raises(CommandError) as refused:
        call_command("create_token", "alice", name, "--personal", stdout=io.StringIO())
    assert str(refused.value) == f"{name!a} is no name. {sentence(character, message)}"
    assert not Organization.objects.filter(name="fine").exists()
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize("name", ["", " \n", "x" * 201, "a\udcffb"])
def test_create_organization_refuses_what_the_column_cannot_hold(db: None, name: str) -> None:
    with pytest.raises(CommandError):
        call_command("create_organization", name, stdout=io.StringIO())
    assert not Organization.objects.exists()


def test_white_space_around_a_name_is_stripped(root: User) -> None:
    response = Api(root)("post", "/organizations", {"name": "\u2028 Acme\r\n"})
    assert (response.status_code, response.json()["name"]) == (201, "Acme")


@pytest.mark.parametrize(
    ("language", "message"),
    [("pt-br", "Remova o caractere de controle U+001B."), ("es", "Quite el carácter de control")],
)
def test_refusal_is_translated(language: str, message: str) -> None:
    with translation.override(language), pytest.raises(ValidationError) as refused:
        validate_name("a\x1bb")
    assert message in refused.value.messages[0]
