"""Shows what strangers have written: escaped, invisible characters as signs, links made safe."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from django import template
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString

from organizations.names import BIDI_CONTROLS, FILLERS, JOINERS

register = template.Library()

URL = re.compile(r"https?://[^\s<>\"'`\\]+", re.IGNORECASE)
# What ends a sentence belongs to the sentence.
AFTER_URL = ".,;:!?)]}»”’"
HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
KEPT = frozenset("\n\t") | JOINERS


@register.filter
def message_text(text: str) -> SafeString:
    """Return a message's text as HTML: with signs for invisible characters, and links."""
    return format_html_join("", "{}", ((part,) for part in _parts(text)))


@register.filter
def plain_text(text: str) -> SafeString:
    """Return a text as HTML in one line, with signs for invisible characters, without links."""
    return _with_signs(" ".join(text.split()))


@register.filter
def code_text(text: str) -> SafeString:
    """Return a text as HTML for `pre`: with signs for invisible characters, without links."""
    return _with_signs(text)


def _parts(text: str) -> Iterator[SafeString]:
    end = 0
    for found in URL.finditer(text):
        url = found[0].rstrip(AFTER_URL)
        # An address that reads differently than it leads is no link.
        if any(_is_hidden(character) for character in url):
            continue
        yield _with_signs(text[end : found.start()])
        yield format_html(
            '<a href="{}" rel="noopener noreferrer nofollow" target="_blank">{}</a>', url, url
        )
        end = found.start() + len(url)
    yield _with_signs(text[end:])


def _with_signs(text: str) -> SafeString:
    shown = "".join(_sign(each) if _is_hidden(each) else str(escape(each)) for each in text)
    return SafeString(shown)


def _is_hidden(character: str) -> bool:
    if character in KEPT:
        return False
    hidden = unicodedata.category(character) in HIDDEN
    return hidden or character in BIDI_CONTROLS or character in FILLERS


def _sign(character: str) -> str:
    """Return the sign of a character: only digits and letters of its code, so safe as HTML."""
    return f'<span class="sign">U+{ord(character):04X}</span>'
