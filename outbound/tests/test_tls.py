"""Certificates are verified against the name in the URL, whatever address was connected to."""

from __future__ import annotations

import ssl

import pytest

from outbound import client as client_module
from outbound.client import open_client, trusted_certificates
from outbound.errors import Kind, RequestFailed
from outbound.policy import Policy
from outbound.tests.servers import Certificates, Server, http, serving

POLICY = Policy(True, frozenset({"127.0.0.1", "localhost"}))


async def post(server: Server, host: str, trust: ssl.SSLContext) -> str:
    async with open_client(POLICY, trust=trust) as client:
        answer = await client.post(f"https://{host}:{server.port}/", {}, b"secret")
    return answer.text


async def failure(server: Server, host: str, trust: ssl.SSLContext) -> Kind:
    with pytest.raises(RequestFailed) as failed:
        await post(server, host, trust)
    assert server.requests == []
    return failed.value.kind


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_right_certificate_is_accepted(certificates: Certificates, host: str) -> None:
    async with serving(http(b"ok"), certificates.server(host)) as server:
        assert await post(server, host, certificates.trust()) == "ok"


@pytest.mark.parametrize(
    ("host", "named"), [("localhost", "127.0.0.1"), ("127.0.0.1", "localhost")]
)
async def test_certificate_of_another_name_is_refused(
    certificates: Certificates, host: str, named: str
) -> None:
    async with serving(http(b"ok"), certificates.server(named)) as server:
        assert await failure(server, host, certificates.trust()) == Kind.TLS


async def test_certificate_of_an_unknown_authority_is_refused(certificates: Certificates) -> None:
    async with serving(http(b"ok"), certificates.server("localhost")) as server:
        assert await failure(server, "localhost", trusted_certificates()) == Kind.TLS


async def test_server_without_tls_is_refused(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "CONNECT_SECONDS", 0.5)
    async with serving(http(b"ok")) as server:
        found = await failure(server, "localhost", certificates.trust())
    assert found in (Kind.TLS, Kind.CONNECT)


def test_usual_authorities_are_trusted() -> None:
    assert len(trusted_certificates().get_ca_certs()) > 50
