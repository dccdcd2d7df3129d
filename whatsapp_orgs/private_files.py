"""Write files atomically that only this user may read."""

import contextlib
import os
import secrets
from pathlib import Path


def write(path: Path, text: str) -> None:
    """Write `text` to `path`, replacing a file there. Raises OSError."""
    _draft(path, text).replace(path)


def write_once(path: Path, text: str) -> str:
    """Write `text` unless the file exists. Returns the file's content. Raises OSError."""
    if not path.exists():
        draft = _draft(path, text)
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text()


def _draft(path: Path, text: str) -> Path:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    return draft
