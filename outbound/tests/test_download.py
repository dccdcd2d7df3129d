"""Files by link: their limit, their redirects, and what is no file."""

from __future__ import annotations

import gzip

import pytest

from outbound.client import Downloaded, open_client
from outbound.errors import Kind, RequestFailed
from outbound.tests.servers import LOOPBACK, Server, http, serving

PNG = b"\x89PNG" + bytes(1000)
LIMIT = len(PNG)


async def download(server: Server, limit: int = LIMIT) -> Downloaded:
    async with open_client(LOOPBACK) as client:
        return await client.download(server.url + "a.png", limit)


async def failure(server: Server, limit: int = LIMIT) -> RequestFailed:
    with pytest.raises(RequestFailed) as failed:
        await download(server, limit)
    return failed.value


def moved(url: str, status: str = "302 Found") -> bytes:
    return http(b"", status, f"Location: {url}")


async def test_file_comes_with_its_type() -> None:
    async with serving(http(PNG, "200 OK", "Content-Type: image/png")) as server:
        found = await download(server)
    assert (found.content, found.content_type) == (PNG, "image/png")
    assert found.url == server.url + "a.png"


async def test_file_above_the_limit_is_refused() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n" + bytes(4096)
    for answer in (http(PNG), chunked, b"HTTP/1.1 200 OK\r\n\r\n" + PNG):
        async with serving(answer) as server:
            assert (await failure(server, LIMIT - 1)).kind == Kind.TOO_LARGE


async def test_answer_that_is_no_file_is_refused() -> None:
    async with serving(http(b"gone", "404 Not Found")) as server:
        failed = await failure(server)
    assert (failed.kind, failed.status) == (Kind.UNUSABLE, 404)
    bomb = gzip.compress(bytes(10_000_000))
    async with serving(http(bomb, "200 OK", "Content-Encoding: gzip")) as server:
        assert (await failure(server, 100_000)).kind == Kind.UNUSABLE


@pytest.mark.parametrize("status", ["301 A", "302 B", "303 C", "307 D", "308 E"])
async def test_redirect_is_followed(status: str) -> None:
    async with serving(http(PNG)) as last, serving(moved(f"{last.url}b.png", status)) as first:
        found = await download(first)
    assert (found.content, found.url) == (PNG, last.url + "b.png")


async def test_endless_redirects_end() -> None:
    async with serving(moved("/again?and=again")) as server:
        assert (await failure(server)).kind == Kind.UNUSABLE
    assert len(server.requests) == 4
    assert server.requests[1].startswith(b"GET /again?and=again ")


@pytest.mark.parametrize(
    "target",
    [
        "http://localhost:{port}/",
        "//localhost:{port}/",
        "https://10.0.0.1/",
        "https://[::1]:{port}/",
        "file:///etc/passwd",
        "http://user:secret@127.0.0.1:{port}/",
    ],
)
async def test_redirect_to_an_address_that_is_not_allowed_is_refused(target: str) -> None:
    async with serving(http(PNG)) as inside:
        location = target.format(port=inside.port)
        async with serving(moved(location)) as server:
            failed = await failure(server)
    assert failed.kind == Kind.REFUSED
    assert inside.requests == []
