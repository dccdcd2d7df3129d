"""Requests to servers that answer well, too much, too late, or not at all."""

from __future__ import annotations

import asyncio
import gzip
import logging
import socket
from pathlib import Path

import pytest

from outbound import client as client_module
from outbound.client import ANSWER_BYTES, Answer, open_client
from outbound.errors import Kind, RequestFailed
from outbound.policy import Policy
from outbound.tests.servers import LOOPBACK, Handler, Server, answering, http, serving

HEAD = b"HTTP/1.1 200 OK\r\n"


async def post(server: Server, path: str = "", headers: dict[str, str] | None = None) -> Answer:
    async with open_client(LOOPBACK) as client:
        return await client.post(server.url + path, headers or {}, b'{"a": 1}')


async def failure(handler: Handler | bytes) -> Kind:
    """Return why a request to a server that does this fails."""
    async with serving(handler) as server:
        with pytest.raises(RequestFailed) as failed:
            await post(server)
    return failed.value.kind


async def test_answer_is_returned_with_its_headers() -> None:
    async with serving(http(b"no\0", "429 Slow down", "Retry-After: 7", "X-A: b")) as server:
        answer = await post(server, "hook?a=b", {"webhook-id": "msg_1"})
    assert (answer.status, answer.text) == (429, "no\N{REPLACEMENT CHARACTER}")
    assert answer.headers["retry-after"] == "7" and answer.milliseconds >= 0
    [request] = server.requests
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /hook?a=b HTTP/1.1\r\n") and body == b'{"a": 1}'
    assert b"webhook-id: msg_1" in head and f"Host: 127.0.0.1:{server.port}".encode() in head
    assert b"Accept-Encoding: identity" in head


async def test_get_sends_no_body() -> None:
    async with serving(http(b"challenge")) as server, open_client(LOOPBACK) as client:
        assert (await client.get(server.url, {"X-A": "b"})).text == "challenge"
    assert server.requests[0].startswith(b"GET / ") and b"Content-Length" not in server.requests[0]


async def test_redirect_is_an_answer_and_is_not_followed() -> None:
    async with serving(http(b"here")) as other:
        location = f"Location: {other.url}"
        async with serving(http(b"", "301 Moved", location)) as server:
            assert (await post(server)).status == 301
    assert other.requests == []


async def test_environment_password_file_and_cookies_are_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login alice password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    async with serving(http(b"", "502 Proxy")) as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
            monkeypatch.setenv(name.lower(), proxy.url)
        answer = http(b"", "200 OK", "Set-Cookie: a=b")
        async with serving(answer) as server, open_client(LOOPBACK) as client:
            for _ in range(2):
                assert (await client.post(server.url, {}, b"")).status == 200
    assert proxy.requests == []
    sent = b"".join(server.requests).lower()
    assert len(server.requests) == 2 and b"cookie" not in sent and b"authorization" not in sent


async def test_long_answer_is_clipped() -> None:
    async with serving(http("é".encode() * ANSWER_BYTES)) as server:
        answer = await post(server)
    assert answer.status == 200 and answer.text == "é" * 512


async def test_endless_body_is_not_read_to_its_end() -> None:
    async def forever(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1000\r\n" + b"a" * 4096 + b"\r\n")
            await writer.drain()

    async with serving(forever) as server:
        answer = await post(server)
    assert (answer.status, answer.text) == (200, "a" * 1024)


async def test_compressed_answer_is_not_expanded() -> None:
    bomb = gzip.compress(bytes(50_000_000))
    async with serving(http(bomb, "200 OK", "Content-Encoding: gzip")) as server:
        answer = await post(server)
    assert (answer.status, answer.text) == (200, "")


async def test_too_many_headers_are_refused() -> None:
    async def many(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD)
        while True:
            writer.write(b"X-A: " + b"b" * 1000 + b"\r\n")
            await writer.drain()

    assert await failure(many) == Kind.TOO_LARGE
    assert await failure(HEAD + b"X-A: " + b"b" * 10_000_000) == Kind.TOO_LARGE


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def slow_header(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for byte in HEAD * 1000:
        if writer.is_closing():
            break
        writer.write(bytes([byte]))
        await asyncio.sleep(0.02)


async def slow_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"Content-Length: 1000\r\n\r\n")
    await slow_header(reader, writer)


async def only_interim_answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("handler", [hang, slow_header, slow_body, only_interim_answers])
async def test_whole_request_has_one_deadline(
    handler: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "WHOLE_SECONDS", 0.3)
    assert await failure(handler) == Kind.TIMED_OUT


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        HEAD,
        HEAD + b"Content-Length: 10\r\n\r\nabc",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x16\x03\x01" * 100,
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    ],
)
async def test_answer_that_ends_early_or_is_no_http_fails(sent: bytes) -> None:
    assert await failure(sent) == Kind.CLOSED


async def test_connection_that_is_reset_fails() -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    assert await failure(reset) == Kind.CLOSED


async def test_refused_and_private_addresses_look_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client_module, "REFUSED_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    loop = asyncio.get_running_loop()
    said, took = set(), []
    async with open_client(LOOPBACK) as client:
        for url in (f"http://127.0.0.1:{port}/", "https://10.0.0.1/", "https://redis/", "x"):
            started = loop.time()
            with pytest.raises(RequestFailed) as failed:
                await client.get(url)
            took.append(loop.time() - started)
            said.add((failed.value.kind, failed.value.sentence, str(failed.value)))
    assert len(said) == 1 and said.pop()[0] == Kind.REFUSED
    assert min(took) >= 0.29


async def test_one_that_hangs_delays_no_other() -> None:
    async with (
        serving(hang) as silent,
        serving(http(b"ok")) as good,
        open_client(LOOPBACK, sockets=2) as client,
    ):
        waiting = asyncio.create_task(client.get(silent.url))
        while not silent.requests:
            await asyncio.sleep(0.01)
        assert (await client.get(good.url)).text == "ok"
        assert not waiting.done()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting


async def test_no_more_sockets_are_open_than_allowed() -> None:
    open_now, most = 0, 0
    free = asyncio.Event()

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        if most == 3:
            free.set()
        await free.wait()
        writer.write(http(b"ok"))
        await writer.drain()
        open_now -= 1

    async with serving(count) as server, open_client(LOOPBACK, sockets=3) as client:
        answers = await asyncio.gather(*(client.get(server.url) for _ in range(12)))
    assert [answer.text for answer in answers] == ["ok"] * 12
    assert most == 3


async def test_socket_is_free_again_after_every_failure() -> None:
    async with (
        serving(b"nonsense") as bad,
        serving(http(b"ok")) as good,
        open_client(LOOPBACK, sockets=1) as client,
    ):
        for url in (bad.url, "https://10.0.0.1/", bad.url):
            with pytest.raises(RequestFailed):
                await client.get(url)
        assert (await client.get(good.url)).text == "ok"


async def test_nothing_of_a_request_is_logged_or_in_an_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG):
        async with serving(b"nonsense") as server:
            with pytest.raises(RequestFailed) as failed:
                await post(server, "secret-path?q=secret-query", {"X-A": "secret-header"})
    assert "secret" not in caplog.text + str(failed.value) + repr(failed.value)


async def test_answer_of_several_parts_is_put_together() -> None:
    parts = (HEAD, b"Content-Length: 4\r\n", b"\r\n", b"ab", b"cd")
    async with serving(answering(*parts)) as server:
        assert (await post(server)).text == "abcd"


async def test_strict_policy_reaches_no_server_on_loopback() -> None:
    async with serving(http(b"inside")) as server, open_client(Policy()) as client:
        for host in ("127.0.0.1", "localhost", "[::1]", "127.1"):
            with pytest.raises(RequestFailed):
                await client.get(f"https://{host}:{server.port}/")
    assert server.requests == []
