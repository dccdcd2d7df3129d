"""Every text that people read is translated, well formed, and compiled."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from string import Formatter

import pytest
from babel.messages.catalog import Catalog
from django.conf import settings
from django.test import Client
from django.utils import translation
from django.utils.translation import gettext, ngettext, pgettext

from connections.detail_messages import DETAILS, translate_detail
from connections.display import PANEL_NAMES
from connections.reason_texts import REASON_TEXTS
from organizations.admin.base import format_timestamp
from organizations.sockets.authentication import language_of
from tests.support import messages

pytestmark = pytest.mark.sqlite_only

PERCENT = re.compile(r"%(?:\(\w+\))?[sd]")
TAG = re.compile(r"</?[a-z]\w*[^>]*>")
# Words and letters that the other language has, and this one has not.
FOREIGN = {
    "pt_BR": re.compile(
        r"(?<![\w-])(archivos?|del|el|en|hay|las|lo|los|mensajes?|una?|y)(?!\w)|[ñ¿¡]|ción",
        re.IGNORECASE,
    ),
    "es": re.compile(
        r"(?<![\w.])(arquivos?|com|em|mensage(m|ns)|uma?|você)(?!\w)|[ãõç]", re.IGNORECASE
    ),
}
HINT = "Run `make messages`, and translate what it names."

CATALOGS = [(app, locale) for app in messages.APPS for locale in messages.LOCALES.values()]
for_each_catalog = pytest.mark.parametrize(("app", "locale"), CATALOGS)
for_each_language = pytest.mark.parametrize("language", messages.LOCALES)


@pytest.fixture(scope="module")
def found() -> dict[str, Catalog]:
    return messages.extracted()


def placeholders(text: str) -> Counter[str]:
    """Return the placeholders and tags of a text, which a translation must keep."""
    marks = PERCENT.findall(text) + TAG.findall(text)
    if not PERCENT.search(text):
        marks += [f"{{{name}}}" for _, name, _, _ in Formatter().parse(text) if name is not None]
    return Counter(marks)


def test_languages_are_those_of_the_settings() -> None:
    assert {"en", *messages.LOCALES} == {code for code, _ in settings.LANGUAGES}


@for_each_catalog
def test_every_text_is_translated(found: dict[str, Catalog], app: str, locale: str) -> None:
    catalog_texts = messages.read(app, locale)
    known = {messages.key(message) for message in messages.texts(catalog_texts)}
    wanted = {messages.key(message) for message in messages.texts(found[app])}
    assert wanted, "nothing was found: the extraction is broken"
    assert wanted - known == set(), HINT
    assert known - wanted == set(), f"These texts are not used any more. {HINT}"
    assert messages.untranslated(catalog_texts) == [], HINT


@for_each_catalog
def test_translation_has_the_placeholders_of_its_text(app: str, locale: str) -> None:
    for message in messages.texts(messages.read(app, locale)):
        english = message.id if isinstance(message.id, str) else message.id[-1]
        for form in messages.forms(message):
            assert placeholders(form) == placeholders(english), form
            for end in "….:?":
                assert form.endswith(end) == english.endswith(end), (english, form)


@for_each_catalog
def test_translation_is_in_the_language_of_its_catalog(app: str, locale: str) -> None:
    forms = [
        form for text in messages.texts(messages.read(app, locale)) for form in messages.forms(text)
    ]
    assert [form for form in forms if FOREIGN[locale].search(form)] == []


@for_each_catalog
def test_translation_does_not_repeat_its_beginning(app: str, locale: str) -> None:
    """A sentence that was pasted twice."""
    for message in messages.texts(messages.read(app, locale)):
        for form in messages.forms(message):
            assert form.count(form[:20]) == 1, form


@for_each_catalog
def test_compiled_catalog_is_up_to_date(app: str, locale: str) -> None:
    catalog_texts = messages.read(app, locale)
    path = messages.catalog_path(app, locale)
    assert path.with_suffix(".mo").read_bytes() == messages.compiled(catalog_texts), HINT


@for_each_language
def test_django_returns_our_translations(language: str) -> None:
    """Packages before ours in INSTALLED_APPS would take precedence."""
    catalogs = [messages.read(app, messages.LOCALES[language]) for app in messages.APPS]
    catalog_texts = {
        messages.key(message): message.string
        for catalog in catalogs
        for message in messages.texts(catalog)
        if isinstance(message.id, str)
    }
    with translation.override(language):
        translated = {
            (text, context): pgettext(context, text) if context else gettext(text)
            for text, context in catalog_texts
        }
    assert translated == catalog_texts


def table_texts() -> Iterator[str]:
    """Yield the English texts of the tables in the code."""
    for words in REASON_TEXTS.values():
        yield words.english
        yield words.english_next_step
    yield from DETAILS
    yield from PANEL_NAMES.values()


@for_each_language
def test_every_reason_detail_and_panel_is_translated(language: str) -> None:
    with translation.override(language):
        english = {text for text in table_texts() if gettext(text) == text}
    assert english == set()


@for_each_language
def test_stored_detail_is_translated_whole(language: str) -> None:
    values = dict.fromkeys(("after", "before", "count", "digits", "seconds", "status", "time"), "7")
    values["words"] = "go away"
    with translation.override(language):
        for template in DETAILS:
            translated = gettext(template).format(**values)
            assert translate_detail(template.format(**values)) == translated


@for_each_language
def test_times_of_tables_are_written_as_in_the_language(language: str) -> None:
    with translation.override(language):
        shown = format_timestamp(datetime(2026, 3, 1, 9, 30, tzinfo=UTC))
    assert ">01/03/2026 09:30:00<" in shown


@for_each_language
@pytest.mark.parametrize("number", [0, 1, 2, 600, 1_000_000])
def test_plural_forms_follow_the_language(language: str, number: int) -> None:
    """Django asks each catalog by its own rule. Zero is plural, in Portuguese, too."""
    one = "Too many test messages. Try again in {wait} second."
    many = "Too many test messages. Try again in {wait} seconds."
    with translation.override(language):
        translated = ngettext(one, many, number)
    assert translated not in (one, many)
    assert translated.endswith("segundo." if number == 1 else "segundos.")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("accepted", "language", "table_texts"),
    [
        ("pt-BR,pt;q=0.9", "pt-br", "Idioma"),
        ("pt", "pt-br", "Idioma"),
        ("es-MX", "es", "Idioma"),
        ("de", "en", "Language"),
        ("", "en", "Language"),
    ],
)
def test_pages_and_sockets_use_the_language_of_the_browser(
    client: Client, accepted: str, language: str, table_texts: str
) -> None:
    page = client.get("/admin/login/", headers={"Accept-Language": accepted}).content.decode()
    assert f'<html lang="{language}"' in page
    assert f">{table_texts}: <" in page
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
def test_api_is_english_without_accept_language(
    client: Client, headers: dict[str, str], message: str
) -> None:
    authorized = {"Authorization": "Bearer wao_wrong", **headers}
    answer = client.get("/api/v1/organizations", headers=authorized).json()
    assert (answer["code"], answer["message"]) == ("authentication_failed", message)


@pytest.mark.parametrize(
    ("accepted", "table_texts"),
    [("pt-BR", "Página não encontrada"), ("es", "Página no encontrada"), ("", "Page not found")],
)
def test_page_not_found_is_translated(client: Client, accepted: str, table_texts: str) -> None:
    answer = client.get("/nowhere/", headers={"Accept-Language": accepted})
    assert answer.status_code == 404
    assert f"<h1>{table_texts}</h1>" in answer.content.decode()
