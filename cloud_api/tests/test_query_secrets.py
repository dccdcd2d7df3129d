"""Tokens in the query: taken only where an owner allows it, and seen by nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.test import RequestFactory
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from cloud_api.authentication import GraphTokenAuthentication
from cloud_api.query_secrets import SCOPE_KEY, QuerySecrets, QuerySecretsMiddleware
from cloud_api.tests.support.graph import graph_token
from messaging.models import MessagingSettings
from organizations.models import Organization


async def scope_behind(path: str, query: bytes, kind: str = "http") -> dict[str, Any]:
    """Return the scope that an application behind the middleware gets."""
    seen: dict[str, Any] = {}

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.update(scope)

    scope = {"type": kind, "path": path, "query_string": query}
    await QuerySecretsMiddleware(application)(scope, None, None)
    return seen


@pytest.mark.parametrize(
    ("query", "kept", "tokens"),
    [
        (b"", b"", []),
        (b"access_token=wao_1", b"", ["wao_1"]),
        (b"fields=id&access_token=wao_1&limit=3", b"fields=id&limit=3", ["wao_1"]),
        (b"access%5Ftoken=wao%5F1", b"", ["wao_1"]),
        (b"access_token=1&access_token=2", b"", ["1", "2"]),
        (b"Access_Token=1&xaccess_token=2", b"Access_Token=1&xaccess_token=2", []),
        (b"access_token", b"", [""]),
        (b"access_token=%ff%00", b"", ["\ufffd\0"]),
    ],
)
async def test_token_is_moved_out_of_the_query(
    query: bytes, kept: bytes, tokens: list[str]
) -> None:
    scope = await scope_behind("/graph/v13.0/1/message_templates", query)
    assert scope["query_string"] == kept
    assert scope[SCOPE_KEY].get("access_token") == tokens
    assert "wao_1" not in repr(scope)


async def test_token_to_debug_and_proof_are_moved_too() -> None:
    scope = await scope_behind("/graph/debug_token", b"input_token=wao_2&appsecret_proof=abc")
    assert scope["query_string"] == b""
    assert scope[SCOPE_KEY].get("input_token") == ["wao_2"]


async def test_other_paths_keep_their_query() -> None:
    for path, kind in (("/admin/", "http"), ("/api/v1/graph/", "http"), ("/graph/", "websocket")):
        scope = await scope_behind(path, b"access_token=wao_1", kind)
        assert (scope["query_string"], SCOPE_KEY in scope) == (b"access_token=wao_1", False)


def authenticate(*tokens: str, **headers: str) -> Any:
    request: Any = RequestFactory().get("/graph/1", headers=headers)
    request.scope = {SCOPE_KEY: QuerySecrets({"access_token": list(tokens)})}
    return GraphTokenAuthentication().authenticate(Request(request))


def test_token_in_the_query_is_refused_unless_an_owner_allows_it(
    organization: Organization,
) -> None:
    token, text = graph_token(organization)
    with pytest.raises(AuthenticationFailed, match="takes no token in the address"):
        authenticate(text)
    MessagingSettings.objects.create(organization=organization, token_in_query=True)
    user, found = authenticate(text)
    assert (found, isinstance(user, AnonymousUser)) == (token, True)


def test_token_in_the_query_never_goes_with_another_one(organization: Organization) -> None:
    _, text = graph_token(organization)
    MessagingSettings.objects.create(organization=organization, token_in_query=True)
    for tokens, headers in (
        ([text], {"Authorization": f"Bearer {text}"}),
        ([text], {"Authorization": ""}),
        ([text, text], {}),
    ):
        with pytest.raises(AuthenticationFailed, match="only once"):
            authenticate(*tokens, **headers)


@pytest.mark.parametrize("text", ["", "wao_wrong", "wao_\0", "wao_é", "wao_\u20ac"])
def test_wrong_token_in_the_query_is_refused(organization: Organization, text: str) -> None:
    with pytest.raises(AuthenticationFailed):
        authenticate(text)
