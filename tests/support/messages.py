"""The texts that people read: found in the code, and kept in each app's catalogs of translations.

`make messages` extracts them, keeps what is translated, and compiles. Nothing but Python is needed:
Babel stands in for the gettext tools, and for Django's `makemessages`, which needs them.
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
# As Django's own catalogs count: with another rule its texts and ours would not go together.
PLURALS = {
    "pt_BR": "nplurals=2; plural=(n > 1);",
    "es": "nplurals=3; plural=n == 1 ? 0 : n != 0 && n % 1000000 == 0 ? 1 : 2;",
}

# A text belongs to the first app that has it: each may rely on those before it. The pages in
# templates/ have no app of their own; their texts are in the project's.
APPS = {
    "organizations": ("organizations",),
    "connections": ("connections",),
    "whatsapp_orgs": ("whatsapp_orgs", "templates"),
}
NO_TEXTS = {"tests", "migrations", "worker", "__pycache__"}
KEYWORDS = DEFAULT_KEYWORDS | {"lazy": None, "gettext_lazy": None, "gettext_noop": None}
KEYWORDS["pgettext_lazy"] = ((1, "c"), 2)

Found = dict[tuple[str, str | None], Message]


def catalog_path(app: str, locale: str) -> Path:
    return ROOT / app / "locale" / locale / "LC_MESSAGES" / "django.po"


def extracted() -> dict[str, Catalog]:
    """The texts that the code has, by the app that they belong to."""
    known: set[tuple[str, str | None]] = set()
    catalogs = {}
    for app, folders in APPS.items():
        catalog = Catalog(project="WhatsApp Orgs", fuzzy=False)
        for path in _sources(folders):
            for message in _texts(path):
                if key(message) not in known:
                    _add(catalog, message, path)
        known.update(key(message) for message in texts(catalog))
        catalogs[app] = catalog
    return catalogs


def texts(catalog: Catalog) -> Iterator[Message]:
    """A catalog's texts, without its header."""
    return (message for message in catalog if message.id)


def key(message: Message) -> tuple[str, str | None]:
    """What it is found by: its English text, and what tells it from the same text elsewhere."""
    return (message.id if isinstance(message.id, str) else message.id[0], message.context)


def _sources(folders: Iterable[str]) -> list[Path]:
    paths = (path for folder in folders for path in sorted((ROOT / folder).rglob("*")))
    return [
        path
        for path in paths
        if path.suffix in (".py", ".html")
        and not NO_TEXTS.intersection(path.relative_to(ROOT).parts)
    ]


def _texts(path: Path) -> Iterator[Message]:
    """What one file has for people to read."""
    source = path.read_text()
    if path.suffix == ".html":
        # What is left of a template is no program; within brackets its indentation means nothing.
        source = f"({templatize(source)})"
    for line, said, comments, context in extract("python", BytesIO(source.encode()), KEYWORDS):
        yield Message(said, lineno=line, auto_comments=comments, context=context)


def _add(catalog: Catalog, message: Message, path: Path) -> None:
    """Without line numbers: they would change with every other line of the code."""
    where = [(path.relative_to(ROOT).as_posix(), None)]
    catalog.add(message.id, locations=where, context=message.context)  # type: ignore[arg-type]


def read(app: str, locale: str) -> Catalog:
    """The catalog as it is kept."""
    path = catalog_path(app, locale)
    if not path.exists():
        return Catalog(locale=locale, project="WhatsApp Orgs", fuzzy=False)
    with path.open("rb") as file:
        return read_po(file, locale=locale)


def compiled(catalog: Catalog) -> bytes:
    """What Django reads."""
    file = BytesIO()
    write_mo(file, catalog)
    return file.getvalue()


def written(catalog: Catalog) -> bytes:
    """What people edit: sorted, and the same whoever writes it."""
    file = BytesIO()
    write_po(file, catalog, width=100, sort_output=True, include_lineno=False)
    return file.getvalue()


def update(app: str, locale: str, found: Catalog) -> Catalog:
    """Add the new texts, forget the old ones, write and compile. A guess counts for nothing."""
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
    """The texts without a translation, or with one that no one has looked at."""
    return [
        key(message)[0]
        for message in texts(catalog)
        if message.fuzzy or not forms(message) or not all(forms(message))
    ]


def forms(message: Message) -> tuple[str, ...]:
    """Its translations: one, or one for each number that the language tells apart."""
    return (message.string,) if isinstance(message.string, str) else tuple(message.string or ())


def main() -> int:
    missing = 0
    for app, found in extracted().items():
        for locale in LOCALES.values():
            for text in untranslated(update(app, locale, found)):
                missing += 1
                print(f"{catalog_path(app, locale).relative_to(ROOT)}: not translated: {text!r}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
