"""ASGI middleware: takes tokens out of the queries of the façade before anything else sees them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

from cloud_api.error_views import PREFIX

SCOPE_KEY = "graph_secrets"

NAMES = ("access_token", "input_token", "appsecret_proof")
"""The parameters whose values are secrets."""


@dataclass(frozen=True)
class QuerySecrets:
    """The secrets of a query by their names. Its text says nothing of them."""

    values: dict[str, list[str]] = field(repr=False)

    def get(self, name: str) -> list[str]:
        """Return the values that were given for a parameter."""
        return self.values.get(name, [])


class QuerySecretsMiddleware:
    """Moves secrets from the query of the façade's requests to the scope's `graph_secrets`."""

    def __init__(self, application: Any) -> None:
        self._application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"].startswith(PREFIX):
            scope = without_secrets(scope)
        await self._application(scope, receive, send)


def without_secrets(scope: dict[str, Any]) -> dict[str, Any]:
    """Return a scope whose query has no secrets; they are under SCOPE_KEY."""
    found: dict[str, list[str]] = {}
    kept = []
    for part in scope["query_string"].split(b"&"):
        name, _, value = (unquote_plus(text.decode("latin-1")) for text in part.partition(b"="))
        if name in NAMES:
            found.setdefault(name, []).append(value)
        else:
            kept.append(part)
    return {**scope, "query_string": b"&".join(kept), SCOPE_KEY: QuerySecrets(found)}


def secrets_of(request: Any) -> QuerySecrets:
    """Return the secrets of a request's query."""
    found = getattr(request, "scope", {}).get(SCOPE_KEY)
    return found if found is not None else QuerySecrets({})
