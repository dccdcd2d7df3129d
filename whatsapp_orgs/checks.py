"""System checks: `manage.py check` lists them, and a server or a worker does not start with one."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register, run_checks
from django.core.exceptions import ImproperlyConfigured

from whatsapp_orgs import backends

TOPOLOGY = "topology"


@register(TOPOLOGY)
def check_topology(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Django's frame for the combinations that cannot work."""
    found = backends.problems(settings.REDIS_URL, settings.EMBEDDED_WORKER)
    return [Error(text, id=f"whatsapp_orgs.{code}") for code, text in found]


def refuse_impossible_start() -> None:
    """Raises ImproperlyConfigured, with one line for what cannot work."""
    if errors := run_checks(tags=[TOPOLOGY]):
        raise ImproperlyConfigured(" ".join(str(error.msg) for error in errors))
