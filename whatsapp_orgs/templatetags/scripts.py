"""Scripts of pages: each with all that it imports, so that a browser needs not find that out."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from posixpath import dirname, normpath

from django import template
from django.conf import settings
from django.contrib.staticfiles import finders
from django.forms import Media
from django.templatetags.static import static
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

IMPORT = re.compile(r'^import [^;]*?"(\.[^"]+)";', re.MULTILINE)


@register.filter
def deferred(media: Media) -> SafeString:
    """Return the scripts of a form's or a list's media, which run once the page is parsed."""
    scripts = (str(script) for script in media.render_js())
    # Django escaped what is in them.
    return mark_safe("".join(each.replace("<script ", "<script defer ") for each in scripts))  # noqa: S308


@register.simple_tag
def module(path: str) -> SafeString:
    """Return the elements that load a module, and at the same time the modules that it imports.

    Without them, a browser asks for an imported module only when it has read the one before.
    """
    find = _imported if settings.DEBUG else _imported_once
    preloads = ((static(name),) for name in find(path))
    return format_html(
        '{}<script type="module" src="{}"></script>',
        format_html_join("", '<link rel="modulepreload" href="{}">', preloads),
        static(path),
    )


def _imported(path: str) -> tuple[str, ...]:
    """Return the names of all modules that one imports, and those import, in a fixed order."""
    found: dict[str, None] = {}
    waiting = [path]
    while waiting:
        name = waiting.pop(0)
        file = finders.find(name)
        assert isinstance(file, str), f"no static file {name}"
        for relative in IMPORT.findall(Path(file).read_text()):
            other = normpath(f"{dirname(name)}/{relative}")
            if other not in found and other != path:
                found[other] = None
                waiting.append(other)
    return tuple(found)


_imported_once = cache(_imported)
