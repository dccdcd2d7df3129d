"""The middleware of static files, for tests: every test client makes a handler of its own."""

from __future__ import annotations

from typing import Any

from whitenoise.middleware import WhiteNoiseMiddleware

_found: dict[str, Any] = {}


class SharedStaticFiles(WhiteNoiseMiddleware):  # type: ignore[misc]
    """Look for the files once in a process. All else is WhiteNoise."""

    def add_files_from_finders(self) -> None:
        if not _found:
            super().add_files_from_finders()
            _found.update(self.files)
        self.files.update(_found)
