"""Buttons and lists as a numbered text."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloud_api.codes import Code
from cloud_api.errors import GraphError
from cloud_api.interactive import plain_message

BUTTONS = {"buttons": [{"type": "reply", "reply": {"id": "1", "title": "Sim"}}]}
LIST = {
    "button": "Cardápio",
    "sections": [
        {"title": "Pães", "rows": [{"id": "a", "title": "Francês", "description": "1,00"}]},
        {"rows": [{"id": "b", "title": "Café"}]},
    ],
}


def whole(kind: Any, action: Any, **parts: Any) -> dict[str, Any]:
    return {"type": kind, "body": {"text": "O que deseja?"}, "action": action, **parts}


def text_of(given: dict[str, Any]) -> str:
    found = plain_message(given)
    assert found["type"] == "text"
    return str(found["text"]["body"])


def test_action_may_be_the_json_of_an_object() -> None:
    assert text_of(whole("button", json.dumps(BUTTONS))) == "O que deseja?\n\n1. Sim"


def test_rows_of_a_list_are_numbered_through() -> None:
    text = text_of(whole("list", LIST))
    assert text == "O que deseja?\n\n*Pães*\n1. Francês – 1,00\n2. Café"


def test_link_is_written_out() -> None:
    parameters = {"display_text": "Abrir", "url": "https://example.com"}
    text = text_of(whole("cta_url", {"parameters": parameters}))
    assert text == "O que deseja?\n\nAbrir: https://example.com"


def test_picture_of_a_header_has_the_text_as_its_caption() -> None:
    header = {"type": "image", "image": {"id": "x"}}
    found = plain_message({"type": "button", "action": BUTTONS, "header": header})
    assert found == {"type": "image", "image": {"id": "x", "caption": "1. Sim"}}


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (whole("flow", {}), Code.UNSUPPORTED_TYPE),
        (None, Code.UNSUPPORTED_TYPE),
        (whole([], BUTTONS), Code.UNSUPPORTED_TYPE),
        (whole({}, BUTTONS), Code.UNSUPPORTED_TYPE),
        (whole("button", "[" * 50_000), Code.BAD_FIELD),
        (whole("button", BUTTONS, header={"type": "image"}), Code.BAD_FIELD),
        (whole("button", "{"), Code.BAD_FIELD),
        (whole("button", {"buttons": [{}]}), Code.BAD_FIELD),
        (whole("list", {"sections": 1}), Code.BAD_FIELD),
        ({"type": "button", "body": {"text": "x"}}, Code.BAD_FIELD),
        (whole("button", BUTTONS, footer="x"), Code.BAD_FIELD),
        (whole("button", BUTTONS, header="x"), Code.BAD_FIELD),
        (whole("button", BUTTONS, body={"text": 7}), Code.BAD_FIELD),
    ],
)
def test_what_cannot_be_written_out_is_refused(given: Any, code: Code) -> None:
    with pytest.raises(GraphError) as found:
        plain_message(given)
    assert found.value.code is code


@pytest.mark.parametrize(
    ("header", "most"), [({"type": "image", "image": {"id": "x"}}, 1024), (None, 4096)]
)
def test_text_that_is_too_long_with_its_choices_names_the_field_of_the_caller(
    header: dict[str, Any] | None, most: int
) -> None:
    fits = most - len("\n\n1. Sim")
    plain_message(whole("button", BUTTONS, header=header, body={"text": "a" * fits}))
    with pytest.raises(GraphError) as found:
        plain_message(whole("button", BUTTONS, header=header, body={"text": "a" * (fits + 1)}))
    assert found.value.code is Code.BAD_FIELD
    assert found.value.details.startswith("interactive: ")
    assert f"{most + 1} characters" in found.value.details
