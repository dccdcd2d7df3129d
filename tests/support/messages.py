"""`make messages`: extract user-visible texts into each app's catalogs, and compile them.

Uses Babel instead of Django's `makemessages`, which needs the gettext programs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation import templatize

ROOT = Path(__file__).resolve().parent.parent.parent

LOCALES = {"pt-br": "pt_BR", "es": "es"}
# Catalogs of one language have one rule, or Django looks a text up in each of them.
PLURALS = {
    # Zero is plural, other than in Django's catalog: "0 mensagens".
    "pt_BR": "nplurals=2; plural=(n != 1);",
    "es": "nplurals=3; plural=n == 1 ? 0 : n != 0 && n % 1000000 == 0 ? 1 : 2;",
}

# A text belongs to the first app that has it. Texts in templates/ belong to the project.
APPS = {
    "organizations": ("organizations",),
    "connections": ("connections",),
    "messaging": ("messaging", "outbound"),
    "webhooks": ("webhooks",),
    "notices": ("notices",),
    "removal": ("removal",),
    "cloud_api": ("cloud_api",),
    "whatsapp_orgs": ("whatsapp_orgs", "templates"),
}
EXCLUDED_FOLDERS = {"tests", "migrations", "worker", "__pycache__"}
KEYWORDS = DEFAULT_KEYWORDS | {"lazy": None, "gettext_lazy": None, "gettext_noop": None}
KEYWORDS["pgettext_lazy"] = ((1, "c"), 2)

Found = dict[tuple[str, str | None], Message]


def catalog_path(app: str, locale: str) -> Path:
    return ROOT / app / "locale" / locale / "LC_MESSAGES" / "django.po"


def extracted() -> dict[str, Catalog]:
    """Return the texts in the code by app."""
    known_keys: set[tuple[str, str | None]] = set()
    catalogs = {}
    for app, folders in APPS.items():
        catalog = Catalog(project="WhatsApp Orgs", fuzzy=False)
        for path in _sources(folders):
            for message in _texts(path):
                if key(message) not in known_keys:
                    _add(catalog, message, path)
        known_keys.update(key(message) for message in texts(catalog))
        catalogs[app] = catalog
    return catalogs


def texts(catalog: Catalog) -> Iterator[Message]:
    """Return the messages of a catalog without its header."""
    return (message for message in catalog if message.id)


def key(message: Message) -> tuple[str, str | None]:
    """Return the key of a message: its English text and its context."""
    return (message.id if isinstance(message.id, str) else message.id[0], message.context)


def _sources(folders: Iterable[str]) -> list[Path]:
    paths = (path for folder in folders for path in sorted((ROOT / folder).rglob("*")))
    return [
        path
        for path in paths
        if path.suffix in (".py", ".html")
        and not EXCLUDED_FOLDERS.intersection(path.relative_to(ROOT).parts)
    ]


def _texts(path: Path) -> Iterator[Message]:
    """Yield the messages of a file."""
    source = path.read_text()
    if path.suffix == ".html":
        # In brackets, because the indentation of the converted template is no valid Python.
        source = f"({templatize(source)})"
    for line, message_id, comments, context in extract(
        "python", BytesIO(source.encode()), KEYWORDS
    ):
        yield Message(message_id, lineno=line, auto_comments=comments, context=context)


def _add(catalog: Catalog, message: Message, path: Path) -> None:
    """Add a message without line numbers, which would change too often."""
    where = [(path.relative_to(ROOT).as_posix(), None)]
    catalog.add(message.id, locations=where, context=message.context)  # type: ignore[arg-type]


def read(app: str, locale: str) -> Catalog:
    """Read the stored catalog."""
    path = catalog_path(app, locale)
    if not path.exists():
        return Catalog(locale=locale, project="WhatsApp Orgs", fuzzy=False)
    with path.open("rb") as file:
        return read_po(file, locale=locale)


def compiled(catalog: Catalog) -> bytes:
    """Return the .mo file of a catalog."""
    file = BytesIO()
    write_mo(file, catalog)
    return file.getvalue()


def written(catalog: Catalog) -> bytes:
    """Return the .po file of a catalog, sorted."""
    file = BytesIO()
    write_po(file, catalog, width=100, sort_output=True, include_lineno=False)
    return file.getvalue()


def update(app: str, locale: str, found: Catalog) -> Catalog:
    """Add new texts, remove old ones, write and compile. No fuzzy matching."""
    catalog = read(app, locale)
    found.creation_date = catalog.creation_date
    catalog.update(found, no_fuzzy_matching=True)
    catalog.obsolete.clear()
    path = catalog_path(app, locale)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(written(catalog))
    path.with_suffix(".mo").write_bytes(compiled(catalog))
    return catalog


def untranslated(catalog: Catalog) -> list[str]:
    """Return the texts without a translation, or with a fuzzy one."""
    return [
        key(message)[0]
        for message in texts(catalog)
        if message.fuzzy or not forms(message) or not all(forms(message))
    ]


def forms(message: Message) -> tuple[str, ...]:
    """Return the translation of a message, or its plural forms."""
    return (message.string,) if isinstance(message.string, str) else tuple(message.string or ())


def main() -> int:
    error = 0
    for app, found in extracted().items():
        for locale in LOCALES.values():
            for text in untranslated(update(app, locale, found)):
                error += 1
                print(f"{catalog_path(app, locale).relative_to(ROOT)}: not translated: {text!r}")
    return 1 if error else 0


if __name__ == "__main__":
    sys.exit(main())
