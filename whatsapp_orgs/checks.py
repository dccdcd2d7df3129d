"""System checks: invalid combinations of settings, and settings that are unsafe in production.

Each problem is one line that says what to do. `manage.py check` lists them, and they prevent a
start of `manage.py serve`, `run`, `run_worker` and of any server that imports the ASGI application.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register, run_checks
from django.core.exceptions import ImproperlyConfigured

from whatsapp_orgs import backends

TOPOLOGY = "topology"
MIN_KEY_LENGTH = 50
MIN_COMPRESSED_KEY_BYTES = 32
EXAMPLE_KEY_WORDS = ("insecure", "change", "secret", "example", "password", "default")


@register(TOPOLOGY)
def check_topology(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Return an error for each combination of settings that cannot work."""
    found = backends.topology_problems(settings.REDIS_URL, settings.EMBEDDED_WORKER)
    return [Error(text, id=f"whatsapp_orgs.{code}") for code, text in found]


@register(Tags.security)
def check_production(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Return an error for each unsafe setting, in production only."""
    if not settings.PRODUCTION:
        return []
    return [Error(text, id=f"whatsapp_orgs.{code}") for code, text in production_problems()]


def refuse_bad_start() -> None:
    """Raise ImproperlyConfigured with a line for each problem that prevents a start."""
    if errors := run_checks(tags=[TOPOLOGY]):
        raise ImproperlyConfigured(" ".join(str(error.msg) for error in errors))
    if not settings.PRODUCTION:
        return
    unsafe = [found for found in run_checks(tags=[Tags.security]) if found.is_serious()]
    if unsafe:
        lines = "\n".join(f"  {error.msg}" for error in unsafe)
        raise ImproperlyConfigured(f"PRODUCTION is set, and this is not safe:\n{lines}")


def production_problems() -> Iterator[tuple[str, str]]:
    """Yield the code and the text of each setting that is unsafe in production."""
    if problem := _key_problem(settings.SECRET_KEY):
        yield "E001", problem
    if settings.DEBUG:
        yield "E002", "DEBUG is on, and shows the code and settings to strangers: set DEBUG=false."
    hosts = settings.ALLOWED_HOSTS
    if not hosts or "*" in hosts:
        yield "E003", "ALLOWED_HOSTS must name this service's hosts, and not be empty or *."
    if settings.WHATSAPP_SERVER == "simulator":
        yield "E004", "WHATSAPP_SERVER is the simulator: set WHATSAPP_SERVER=live."
    for name in ("DATA_DIR", "AUTH_SESSIONS_DIR"):
        if problem := _folder_problem(Path(getattr(settings, name))):
            yield "E005", f"{name}: {problem}"
    if not (settings.SESSION_COOKIE_SECURE and settings.CSRF_COOKIE_SECURE):
        yield "E006", "Cookies would go over plain HTTP: leave *_COOKIE_SECURE as they are."
    for origin in settings.CSRF_TRUSTED_ORIGINS:
        if not origin.startswith("https://"):
            yield "E007", f"CSRF_TRUSTED_ORIGINS has {origin!r}: name https:// origins only."
    if settings.WEBHOOKS_ALLOW_PRIVATE and not settings.WEBHOOKS_ALLOWED_HOSTS:
        yield (
            "E008",
            "WEBHOOKS_ALLOW_PRIVATE opens the whole network of this service to its users: name the "
            "hosts in WEBHOOKS_ALLOWED_HOSTS.",
        )
    if settings.PROXIES_ALLOW_PRIVATE and not settings.PROXIES_ALLOWED_HOSTS:
        yield (
            "E009",
            "PROXIES_ALLOW_PRIVATE opens the whole network of this service to its users: name the "
            "hosts in PROXIES_ALLOWED_HOSTS.",
        )


def _key_problem(key: str) -> str | None:
    advice = "Remove SECRET_KEY, and one is made and kept in DATA_DIR; or set 50 random characters."
    if len(key) < MIN_KEY_LENGTH:
        return f"SECRET_KEY is shorter than {MIN_KEY_LENGTH} characters. {advice}"
    # Random text cannot be compressed.
    if len(zlib.compress(key.encode(), 9)) < MIN_COMPRESSED_KEY_BYTES:
        return f"SECRET_KEY repeats itself and can be guessed. {advice}"
    if any(word in key.lower() for word in EXAMPLE_KEY_WORDS):
        return f"SECRET_KEY looks like one from an example. {advice}"
    return None


def _folder_problem(path: Path) -> str | None:
    """Return what is wrong with a folder of secrets, or None. It need not exist yet."""
    if path.exists():
        if not path.is_dir():
            return f"{path} is not a folder. Name another place."
        if path.stat().st_mode & 0o077:
            return f"others can read {path}. Run: chmod 700 {path}"
        if not os.access(path, os.W_OK | os.X_OK):
            return f"{path} cannot be written. Give it to the user that runs this service."
        return None
    parent = next(found for found in path.parents if found.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        return f"{path} cannot be made. Make it, for the user that runs this service (mode 700)."
    return None
