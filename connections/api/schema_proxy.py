"""`extend_schema` decorators of the views of an organization's proxy."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiResponse, extend_schema

from connections.api.proxy_serializers import ProxyBody, ProxySerializer, TriedSerializer
from connections.api.schema import OPERATORS_ONLY, TAGS, TOO_MANY_RECONNECTS, refusal
from connections.lifecycle import Reason
from connections.proxies import BAD_HOST, BAD_LOGIN, NO_USER
from connections.reason_texts import REASON_TEXTS
from connections.refusals import ProxyIsTried
from organizations.api.schema import (
    BODY_ERRORS,
    ORGANIZATION_NOT_FOUND,
    OWNERS_ONLY,
    ErrorExample,
    error_responses,
    example_request,
    example_response,
    invalid,
)

PROXY = {
    "success": True,
    "proxy": {
        "name": "br-1",
        "kind": "socks5",
        "host": "br-1.proxies.example.com",
        "port": 1080,
        "hasLogin": True,
        "changedAt": "2026-03-01T09:30:00Z",
        "lastTry": {
            "at": "2026-03-01T09:31:00Z",
            "milliseconds": 210,
            "problem": None,
            "sentence": "Reached WhatsApp in 210 ms.",
        },
    },
}
NO_PROXY = ErrorExample(404, "no_proxy", "This organization has no proxy.")
FAILED = [
    ErrorExample(503, reason.value, REASON_TEXTS[reason].english)
    for reason in (Reason.PROXY_UNREACHABLE, Reason.PROXY_REFUSED, Reason.PROXY_UNTRUSTED)
]

read_proxy = extend_schema(
    operation_id="readProxy",
    summary="The organization's proxy (operators see its name only)",
    tags=TAGS,
    responses={
        200: example_response(ProxySerializer, "The proxy; `null` if there is none.", PROXY),
        **error_responses(OPERATORS_ONLY, ORGANIZATION_NOT_FOUND),
    },
)
set_proxy = extend_schema(
    operation_id="setProxy",
    summary="Connect to WhatsApp through this proxy only (owners)",
    description="Pairing, the link and media go through it, webhooks never. What is connected is "
    "connected again, without a scan. User and password are never shown again.",
    tags=TAGS,
    request=ProxyBody,
    examples=[
        example_request(
            {
                "name": "br-1",
                "kind": "socks5",
                "host": "br-1.proxies.example.com",
                "port": 1080,
                "username": "padaria",
                "password": "…",
            }
        ),
    ],
    responses={
        200: example_response(ProxySerializer, "The proxy as it is now.", PROXY),
        **error_responses(
            invalid(f"host: {BAD_HOST}"),
            invalid(f"username: {BAD_LOGIN}"),
            invalid(f"username: {NO_USER}"),
            OWNERS_ONLY,
            ORGANIZATION_NOT_FOUND,
            TOO_MANY_RECONNECTS,
            *BODY_ERRORS,
        ),
    },
)
remove_proxy = extend_schema(
    operation_id="removeProxy",
    summary="Connect without a proxy of its own (owners)",
    tags=TAGS,
    responses={
        204: OpenApiResponse(description="There is none any more."),
        **error_responses(OWNERS_ONLY, ORGANIZATION_NOT_FOUND, TOO_MANY_RECONNECTS),
    },
)
try_proxy = extend_schema(
    operation_id="tryProxy",
    summary="Try whether the proxy leads to WhatsApp",
    description="Connects through it and checks WhatsApp's certificate, within ten seconds. "
    "Nothing is sent, and the number is not logged in. One try at a time.",
    tags=TAGS,
    request=None,
    responses={
        200: example_response(
            TriedSerializer,
            "It leads to WhatsApp.",
            {"success": True, "milliseconds": 210, "message": "Reached WhatsApp in 210 ms."},
        ),
        **error_responses(
            OPERATORS_ONLY,
            ORGANIZATION_NOT_FOUND,
            NO_PROXY,
            refusal(lambda: ProxyIsTried(20)),
            *FAILED,
        ),
    },
)
