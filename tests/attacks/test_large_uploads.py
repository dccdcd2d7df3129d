"""Uploads are the only large requests, and only a few are received at a time."""

from __future__ import annotations

import json
from contextlib import ExitStack, suppress

import pytest

from tests.attacks.unchanged import bearer
from tests.support.application import Application, until
from tests.support.raw_http import RawConnection, RawResponse
from whatsapp_orgs.server.serving import MAX_UPLOADS_OF_NETWORK

pytestmark = pytest.mark.servers

MEGABYTE = 1024 * 1024
SECONDS = 15.0
FORM = {"Content_Type": "multipart/form-data; boundary=x"}
CHUNKED = {**FORM, "Transfer_Encoding": "chunked"}


def upload(content: bytes) -> bytes:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    return head + content + b"\r\n--x--\r\n"


def error(answer: RawResponse) -> tuple[int, str]:
    """Return the status and the code of an error of the REST API."""
    assert b"Content-Type: application/json" in answer.head
    body = json.loads(answer.body)
    assert (set(body), body["success"]) == ({"success", "code", "message"}, False)
    return answer.status, body["code"]


def chunked(body: bytes) -> bytes:
    pieces = (body[at : at + 60_000] for at in range(0, len(body), 60_000))
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@pytest.fixture
def line(organization: int) -> str:
    return f"POST /api/v1/organizations/{organization}/media"


def test_large_file_is_taken_on_the_path_of_uploads_alone(
    application: Application, organization: int, line: str
) -> None:
    body = upload(bytes(3 * MEGABYTE))
    headers = {**FORM, "Content_Length": str(len(body)), "Authorization": bearer(application)}
    with RawConnection(application) as raw:
        taken = raw.request(line, body, **headers)
    assert taken.status == 201, taken.body
    assert json.loads(taken.body)["size"] == 3 * MEGABYTE
    for other in (f"{line}/x", f"POST /api/v1/organizations/{organization}/messages"):
        with RawConnection(application) as raw:
            raw.send(raw.head(other, **headers))
            assert error(raw.rest()) == (413, "too_large")


def test_file_above_the_limit_is_refused_before_it_is_received(
    application: Application, line: str
) -> None:
    with RawConnection(application) as raw:
        raw.send(raw.head(line, **FORM, Content_Length=str(17 * MEGABYTE)))
        assert error(raw.rest()) == (413, "too_large")


@pytest.mark.parametrize("size", [9, 3 * MEGABYTE])
def test_chunked_file_is_taken(application: Application, line: str, size: int) -> None:
    headers = {**CHUNKED, "Authorization": bearer(application)}
    with RawConnection(application) as raw:
        taken = raw.request(line, chunked(upload(bytes(size))), **headers)
    assert taken.status == 201, taken.body
    assert json.loads(taken.body)["size"] == size


def test_chunked_body_that_turns_out_too_large_is_refused(
    application: Application, organization: int, line: str
) -> None:
    token = bearer(application)
    messages = f"POST /api/v1/organizations/{organization}/messages"
    chunks = {"Connection": "close", "Transfer_Encoding": "chunked"}
    for where, size, credentials, status in (
        (line, 2 * MEGABYTE, {}, 401),
        (line, 17 * MEGABYTE, {"Authorization": token}, 413),
        (messages, 2 * MEGABYTE, {"Authorization": token}, 413),
        (messages, 70_000, {"Authorization": token}, 413),
    ):
        with RawConnection(application) as raw:
            raw.send(raw.head(where, **chunks, **credentials))
            with suppress(ConnectionError):
                raw.send(chunked(bytes(size)))
            assert raw.rest().status == status


def test_end_of_a_refused_chunked_body_starts_no_request(application: Application) -> None:
    with RawConnection(application) as raw:
        body = b"100000\r\n" + bytes(MEGABYTE) + b"\r\n1\r\nx\r\n0\r\n\r\n"
        raw.send(raw.head("POST /nowhere", **CHUNKED) + body)
        # It would be answered once more, as it is no form.
        refused = raw.rest()
    assert (refused.status, refused.body) == (413, b"")


def test_without_any_credential_a_large_upload_is_refused_at_once(
    application: Application, organization: int, line: str
) -> None:
    form = f"/admin/connections/connection/{organization}/messages/send/"
    found = {}
    for path in (line.removeprefix("POST "), "/graph/v23.0/1/media", form):
        with RawConnection(application) as raw:
            raw.send(raw.head(f"POST {path}", **FORM, Content_Length=str(2 * MEGABYTE)))
            found[path] = raw.rest()
    assert [answer.status for answer in found.values()] == [401, 401, 302]
    api, graph, page = found.values()
    assert all(b"WWW-Authenticate: Bearer" in answer.head for answer in (api, graph))
    assert error(api) == (401, "not_authenticated")
    assert json.loads(graph.body)["error"]["code"] == 190
    assert f"Location: /admin/login/?next={form}".encode() in page.head
    for path, headers in (
        ("/graph/1/media?access%5Ftoken=x", {}),
        (form, {"Cookie": "sessionid=x"}),
    ):
        with RawConnection(application) as raw:
            large = {**FORM, "Content_Length": str(2 * MEGABYTE), "Expect": "100-continue"}
            raw.send(raw.head(f"POST {path}", **large, **headers))
            assert raw.wait_for(b"100 Continue").startswith(b"HTTP/1.1 100 ")


def test_more_uploads_than_places_get_503_until_one_ends(
    application: Application, line: str
) -> None:
    body = upload(bytes(2 * MEGABYTE))
    headers = {**FORM, "Content_Length": str(len(body)), "Authorization": bearer(application)}
    with ExitStack() as stack:
        for source in ("127.0.0.1", "127.0.0.2"):
            for _ in range(MAX_UPLOADS_OF_NETWORK):
                slow = stack.enter_context(RawConnection(application, source))
                # The server answers this once it has taken the headers.
                slow.send(slow.head(line, **headers, Expect="100-continue"))
                assert slow.wait_for(b"100 Continue").startswith(b"HTTP/1.1 100 ")
            # The first network has its places, the second one too; then there are none.
            refusing = "127.0.0.1" if source == "127.0.0.1" else "127.0.0.3"
            with RawConnection(application, refusing) as raw:
                raw.send(raw.head(line, **headers))
                refused = raw.rest()
            assert error(refused) == (503, "busy") and b"Retry-After: 5" in refused.head

    def is_taken() -> bool:
        with RawConnection(application) as raw, suppress(ConnectionError):
            return raw.request(line, body, **headers).status == 201
        return False

    until(is_taken, SECONDS, "a place")
