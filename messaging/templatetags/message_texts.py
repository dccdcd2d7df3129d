"""Shows what strangers have written: escaped, invisible characters as signs, links made safe."""

from __future__ import annotations

from collections.abc import Iterator

from django import template
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString

from messaging.text_links import find_links, is_hidden

register = template.Library()


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
    for start, url in find_links(text):
        yield _with_signs(text[end:start])
        yield format_html(
            '<a href="{}" rel="noopener noreferrer nofollow" target="_blank">{}</a>', url, url
        )
        end = start + len(url)
    yield _with_signs(text[end:])


def _with_signs(text: str) -> SafeString:
    shown = "".join(_sign(each) if is_hidden(each) else str(escape(each)) for each in text)
    return SafeString(shown)


def _sign(character: str) -> str:
    """Return the sign of a character: only digits and letters of its code, so safe as HTML."""
    return f'<span class="sign">U+{ord(character):04X}</span>'
