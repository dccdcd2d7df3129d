"""Stylesheets that are made of several others, so that a browser asks for one file and not five.

They are made when the static files are listed or collected, and lie in DATA_DIR.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.finders import BaseFinder
from django.contrib.staticfiles.utils import matches_patterns
from django.core.files.storage import FileSystemStorage, Storage

from whatsapp_orgs import private_files
from whatsapp_orgs.static_files import BUNDLES, VERSION_LENGTH


class BundleFinder(BaseFinder):
    """Finds the stylesheets of BUNDLES."""

    def __init__(self, app_names: object = None) -> None:
        version = settings.STATIC_VERSION.rstrip("/") or "0" * VERSION_LENGTH
        self.storage = FileSystemStorage(settings.DATA_DIR / "static" / version)

    def list(self, ignore_patterns: Any) -> Iterator[tuple[str, Storage]]:
        for name in BUNDLES:
            if not matches_patterns(name, ignore_patterns or []):
                self._make(name)
                yield name, self.storage

    def find(self, path: str, find_all: bool = False, **_: object) -> Any:
        if path not in BUNDLES:
            return []
        self._make(path)
        found = self.storage.path(path)
        return [found] if find_all else found

    def _make(self, name: str) -> None:
        path = Path(self.storage.path(name))
        if path.exists() and not settings.DEBUG:
            return
        parts = (finders.find(part) for part in BUNDLES[name])
        content = "\n".join(Path(str(part)).read_text() for part in parts)
        # `collectstatic` makes folders that others may read.
        for folder in reversed(path.relative_to(settings.DATA_DIR).parents):
            (settings.DATA_DIR / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        private_files.write(path, content)
