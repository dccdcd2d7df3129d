"""Names as people write them: kept as they are, and shown as they are, wherever they are shown."""

from __future__ import annotations

import json

import pytest

from tests.attacks.unchanged import ask, bearer
from tests.browser.visitor import Visitor
from tests.support.application import Application
from tests.support.raw_http import TEXT, RawConnection

NAMES = [
    "Padaria São João & Filhos <b>\"Pão\"</b> 'n'",
    "مخبز النجمة",  # right to left
    "می‌خواهم",  # with a zero-width non-joiner
    "👩‍👩‍👧‍👦 Família 🇧🇷",
    "e\u0301 is not é",  # two ways to write one letter
    "{{ name }} {% load %} %s ${x}",
    "'; DROP TABLE organizations_organization; --",
    "ü" * 200,
]


def create(application: Application, name: str) -> tuple[int, dict[str, object]]:
    body = json.dumps({"name": name}).encode()
    heard = ask(
        application,
        "POST /api/v1/organizations",
        body,
        Content_Length=str(len(body)),
        Content_Type="application/json",
        Authorization=bearer(application),
    )
    return heard.status, json.loads(heard.body)


def test_names_are_kept_and_shown_intact(application: Application, visitor: Visitor) -> None:
    for name in NAMES:
        status, made = create(application, name)
        assert (status, made["name"]) == (201, name)
        page = visitor.open(int(str(made["id"])))
        assert name in page.locator("#content").evaluate("node => node.textContent")
        assert f" – {name[:100]}" in page.title()
        with RawConnection(application) as raw:
            raw.open_websocket("/ws/connections/", application.facts["token"])
            kind, told = raw.frame()
            assert kind == TEXT
            names = {found["name"] for found in json.loads(told)["connections"]}
            assert name in names
    visitor.at_ease()


@pytest.mark.parametrize(
    "name", ["ü" * 10_000, "x" * 201, "", " ", "a\0b", "\ud800", "\u202egpj.exe", "a\nb"]
)
def test_invalid_name_is_refused(application: Application, name: str) -> None:
    status, told = create(application, name)
    assert (status, told["success"]) == (400, False)
