"""Every text that people read is translated, well formed, and compiled."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from string import Formatter

import pytest
from babel.messages.catalog import Catalog
from django.conf import settings
from django.test import Client
from django.utils import translation
from django.utils.translation import gettext, ngettext, pgettext

from connections.detail_messages import DETAILS
from connections.display import PANEL_NAMES
from connections.reason_texts import REASON_TEXTS
from organizations.sockets.authentication import language_of
from tests.support import messages

pytestmark = pytest.mark.sqlite_only

PERCENT = re.compile(r"%(?:\(\w+\))?[sd]")
TAG = re.compile(r"</?[a-z]\w*[^>]*>")
RUN = "Run `make messages`, and translate what it names."

EACH = [(app, locale) for app in messages.APPS for locale in messages.LOCALES.values()]
each_catalog = pytest.mark.parametrize(("app", "locale"), EACH)
each_language = pytest.mark.parametrize("language", messages.LOCALES)


@pytest.fixture(scope="module")
def found() -> dict[str, Catalog]:
    return messages.extracted()


def placeholders(text: str) -> Counter[str]:
    """What is put in, and the markup around it: a translation may only move it."""
    marks = PERCENT.findall(text) + TAG.findall(text)
    if not PERCENT.search(text):
        marks += [f"{{{name}}}" for _, name, _, _ in Formatter().parse(text) if name is not None]
    return Counter(marks)


def test_the_languages_are_those_of_the_settings() -> None:
    assert {"en", *messages.LOCALES} == {code for code, _ in settings.LANGUAGES}


@each_catalog
def test_every_text_is_translated(found: dict[str, Catalog], app: str, locale: str) -> None:
    kept = messages.read(app, locale)
    known = {messages.key(message) for message in messages.texts(kept)}
    wanted = {messages.key(message) for message in messages.texts(found[app])}
    assert wanted, "nothing was found: the extraction is broken"
    assert wanted - known == set(), RUN
    assert known - wanted == set(), f"No one says this any more. {RUN}"
    assert messages.untranslated(kept) == [], RUN


@each_catalog
def test_what_is_put_into_a_text_is_put_into_its_translation(app: str, locale: str) -> None:
    for message in messages.texts(messages.read(app, locale)):
        english = message.id if isinstance(message.id, str) else message.id[-1]
        for form in messages.forms(message):
            assert placeholders(form) == placeholders(english), form
            for end in "….:?":
                assert form.endswith(end) == english.endswith(end), (english, form)


@each_catalog
def test_what_django_reads_is_what_people_wrote(app: str, locale: str) -> None:
    kept = messages.read(app, locale)
    path = messages.catalog_path(app, locale)
    assert path.with_suffix(".mo").read_bytes() == messages.compiled(kept), RUN


@each_language
def test_django_tells_what_people_wrote(language: str) -> None:
    """Packages that come before ours in INSTALLED_APPS have the first word."""
    catalogs = [messages.read(app, messages.LOCALES[language]) for app in messages.APPS]
    kept = {
        messages.key(message): message.string
        for catalog in catalogs
        for message in messages.texts(catalog)
        if isinstance(message.id, str)
    }
    with translation.override(language):
        told = {
            (text, context): pgettext(context, text) if context else gettext(text)
            for text, context in kept
        }
    assert told == kept


def said() -> Iterator[str]:
    """What the tables of the code say, in English."""
    for words in REASON_TEXTS.values():
        yield words.english
        yield words.english_next_step
    yield from DETAILS
    yield from PANEL_NAMES.values()


@each_language
def test_every_reason_detail_and_panel_is_told_in_the_language(language: str) -> None:
    with translation.override(language):
        english = {text for text in said() if gettext(text) == text}
    assert english == set()


@each_language
@pytest.mark.parametrize("number", [0, 1, 2, 600, 1_000_000])
def test_plurals(language: str, number: int) -> None:
    """Found by Django, too, in catalogs that count in its own way."""
    one = "Too many test messages. Try again in {wait} second."
    many = "Too many test messages. Try again in {wait} seconds."
    with translation.override(language):
        told = ngettext(one, many, number)
    as_one = number == 1 or (number == 0 and language == "pt-br")
    assert told not in (one, many)
    assert told.endswith("segundo." if as_one else "segundos.")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("accepted", "language", "said"),
    [
        ("pt-BR,pt;q=0.9", "pt-br", "Idioma"),
        ("pt", "pt-br", "Idioma"),
        ("es-MX", "es", "Idioma"),
        ("de", "en", "Language"),
        ("", "en", "Language"),
    ],
)
def test_pages_and_sockets_speak_what_the_browser_asks_for(
    client: Client, accepted: str, language: str, said: str
) -> None:
    page = client.get("/admin/login/", headers={"Accept-Language": accepted}).content.decode()
    assert f'<html lang="{language}"' in page
    assert f">{said}: <" in page
    scope = {"headers": [(b"accept-language", accepted.encode())], "cookies": {}}
    assert language_of(scope) == language


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, "Invalid token."),
        ({"Accept-Language": "pt-BR"}, "Token inválido."),
        ({"Accept-Language": "es"}, "Token inválido."),
    ],
)
def test_the_api_is_in_english_unless_it_is_asked(
    client: Client, headers: dict[str, str], message: str
) -> None:
    authorized = {"Authorization": "Bearer wao_wrong", **headers}
    answer = client.get("/api/v1/organizations", headers=authorized).json()
    assert (answer["code"], answer["message"]) == ("authentication_failed", message)


@pytest.mark.parametrize(
    ("accepted", "said"),
    [("pt-BR", "Página não encontrada"), ("es", "Página no encontrada"), ("", "Page not found")],
)
def test_a_page_that_is_not_there_says_so_in_the_language(
    client: Client, accepted: str, said: str
) -> None:
    answer = client.get("/nowhere/", headers={"Accept-Language": accepted})
    assert answer.status_code == 404
    assert f"<h1>{said}</h1>" in answer.content.decode()
