"""What strangers write is shown escaped, with signs for invisible characters, and safe links."""

from __future__ import annotations

import pytest

from messaging.templatetags.message_texts import message_text, plain_text

REL = 'rel="noopener noreferrer nofollow" target="_blank"'


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("<b>&'\"", "&lt;b&gt;&amp;&#x27;&quot;"),
        ("one\ntwo\tthree", "one\ntwo\tthree"),
        ("a\u202eb", 'a<span class="sign">U+202E</span>b'),
        ("a\x00\x1b[31m", 'a<span class="sign">U+0000</span><span class="sign">U+001B</span>[31m'),
        ("a\u200bb\u2066", 'a<span class="sign">U+200B</span>b<span class="sign">U+2066</span>'),
        ("👨‍👩‍👧 नमस्ते", "👨‍👩‍👧 नमस्ते"),
        ("https://a.example/x", f'<a href="https://a.example/x" {REL}>https://a.example/x</a>'),
        (
            "See (HTTP://a.example/?b=1&c=2).",
            f'See (<a href="HTTP://a.example/?b=1&amp;c=2" {REL}>HTTP://a.example/?b=1&amp;c=2</a>).',
        ),
        (
            'https://a.example/"onclick=x',
            f'<a href="https://a.example/" {REL}>https://a.example/</a>&quot;onclick=x',
        ),
    ],
)
def test_text_is_shown_as(text: str, html: str) -> None:
    assert message_text(text) == html


@pytest.mark.parametrize(
    "text",
    [
        *("javascript:alert(1)", "data:text/html,x", "ftp://a.example", "//a.example"),
        *("https://a.example/\u202egnp.exe", "file:///etc/passwd", "vbscript:x", "mailto:a@b.c"),
    ],
)
def test_other_schemes_and_disguised_addresses_are_no_links(text: str) -> None:
    assert "<a" not in message_text(text)


def test_preview_is_one_line_without_links() -> None:
    assert plain_text("a\r\n\n https://b.example <i>") == "a https://b.example &lt;i&gt;"
