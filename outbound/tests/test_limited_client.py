"""Requests for code without an event loop: their policy, their common limit, their memory."""

from __future__ import annotations

import socket
import threading
import tracemalloc
from collections.abc import Iterator
from io import BytesIO
from tempfile import SpooledTemporaryFile

import pytest
from pytest_django import Settings

from connections.tests.support.waiting import until
from messaging.tests.support.file_server import FileServer, serving_files
from outbound import limited_client, resolver
from outbound.addresses import literal
from outbound.errors import Kind, RequestFailed, TooManyRequests
from outbound.limited_client import AT_ONCE, AT_ONCE_FOR_ONE
from outbound.tunnel import SCHEMES, Proxy, TunnelFailed

MEGABYTE = 1024 * 1024


@pytest.fixture
def answer() -> threading.Event:
    """Return the event before which the server answers nothing."""
    return threading.Event()


@pytest.fixture
def files(settings: Settings, answer: threading.Event) -> Iterator[FileServer]:
    settings.WEBHOOKS_ALLOW_PRIVATE, settings.WEBHOOKS_ALLOWED_HOSTS = True, ["127.0.0.1"]
    with serving_files(answer.wait) as server:
        yield server


def start(organization: int | None, url: str) -> threading.Thread:
    """Ask a server that does not answer yet, in a thread."""
    thread = threading.Thread(target=limited_client.get, args=(url, organization))
    thread.start()
    return thread


def test_addresses_are_those_of_the_settings() -> None:
    with pytest.raises(RequestFailed) as failed:
        limited_client.save("https://127.0.0.1/", 100, BytesIO(), 1)
    assert failed.value.kind == Kind.REFUSED


def test_requests_of_all_kinds_share_the_places(files: FileServer, answer: threading.Event) -> None:
    url = files.add("/a.txt", b"a file")
    threads = [start(1, url) for _ in range(AT_ONCE_FOR_ONE)]
    try:
        until(lambda: len(files.asked) == AT_ONCE_FOR_ONE, "requests of one organization")
        for ask in (get, save):
            with pytest.raises(TooManyRequests):
                ask(url, 1)
        threads += [start(number, url) for number in range(2, 2 + AT_ONCE - AT_ONCE_FOR_ONE)]
        until(lambda: len(files.asked) == AT_ONCE, "requests of others")
        for ask in (get, save):
            with pytest.raises(TooManyRequests):
                ask(url, None)
    finally:
        answer.set()
        for thread in threads:
            thread.join()
    for _ in range(AT_ONCE_FOR_ONE + 1):
        save(url, 1)
        with pytest.raises(RequestFailed):
            limited_client.save(f"{files.url}/none", 100, BytesIO(), 1)
    assert len(files.asked) == AT_ONCE + 2 * (AT_ONCE_FOR_ONE + 1)


def get(url: str, organization: int | None) -> None:
    limited_client.get(url, organization)


def save(url: str, organization: int | None) -> None:
    limited_client.save(url, 100, BytesIO(), organization)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_proxy_whose_name_moves_inside_is_tried_at_its_checked_address(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    answers, tried = iter(["1.1.1.1", "127.0.0.1"]), []

    def refuse(target: tuple[str, int], seconds: float) -> socket.socket:
        tried.append(target)
        raise ConnectionRefusedError

    monkeypatch.setattr(resolver, "look_up", lambda _: [literal(next(answers))])
    monkeypatch.setattr(socket, "create_connection", refuse)
    proxy = Proxy(scheme, "proxy.example.com", 3128)
    with pytest.raises(TunnelFailed):
        limited_client.reach(proxy, "web.whatsapp.com", 443, None, 1)
    assert tried == [("1.1.1.1", 3128)]


def test_large_file_is_never_in_memory_as_a_whole(
    files: FileServer, answer: threading.Event
) -> None:
    answer.set()
    content = bytes(8 * MEGABYTE)
    url = files.add("/a.bin", content, "application/zip")
    with SpooledTemporaryFile(MEGABYTE // 4) as file:
        tracemalloc.start()
        try:
            found = limited_client.save(url, len(content), file, 1)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert (found.size, file.tell()) == (len(content), len(content))
    assert peak < 2 * MEGABYTE
