"""pywa raises the exception of its own for each error."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from pywa import errors
from pywa.client import WhatsApp

from cloud_api.codes import Code
from cloud_api.errors import error_body
from tests.cloud.account import graph_of, new_token
from tests.cloud.pywa_client import VERSION, client
from tests.support.application import Application
from tests.support.raw_http import RawConnection

TO = "5511987654321"
# Nothing is linked: messages are accepted and wait.
SETTINGS = {"OUTBOX_LIMIT": "4", "MESSAGES_PER_RECIPIENT": "2"}


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    with Application(tmp_path_factory.mktemp("product"), (), **SETTINGS) as running:
        yield running


@pytest.fixture
def number(product: Application, request: pytest.FixtureRequest) -> int:
    return product.new_organizations(f"Organization of {request.node.name}")[0]


@pytest.fixture
def wa(product: Application, number: int) -> Iterator[WhatsApp]:
    token = new_token(product, number)
    with client(graph_of(product), str(number), token) as found:
        yield found


def raw(wa: WhatsApp, **fields: Any) -> None:
    """Send a body that pywa itself would not make."""
    body = {"messaging_product": "whatsapp", **fields}
    wa.api.send_raw_request("POST", f"/{wa.phone_id}/messages", json=body)


RAISED: dict[str, tuple[type[errors.WhatsAppError], Callable[[WhatsApp], object]]] = {
    "bad number": (errors.InvalidParameter, lambda wa: wa.send_message("hello", "Oi")),
    "missing field": (errors.MissingRequiredParameter, lambda wa: raw(wa, to=TO, type="text")),
    "another type": (errors.UnsupportedMessageType, lambda wa: raw(wa, to=TO, type="order")),
    "template": (
        errors.TemplateNotExists,
        lambda wa: raw(wa, to=TO, type="template", template={"name": "hello_world"}),
    ),
    "file that is not what it says": (
        errors.MediaUploadError,
        lambda wa: wa.api.upload_media(str(wa.phone_id), b"text", "image/png", "a.png"),
    ),
    "unknown message": (
        errors.InvalidParameter,
        lambda wa: wa.mark_message_as_read("wamid." + "x" * 22),
    ),
}


@pytest.mark.parametrize("name", RAISED)
def test_error_is_raised_as_its_own_class(wa: WhatsApp, name: str) -> None:
    expected, call = RAISED[name]
    with pytest.raises(expected) as raised:
        call(wa)
    assert type(raised.value) is expected
    assert raised.value.details and raised.value.fbtrace_id


def test_wrong_token_and_missing_right_are_raised(
    product: Application, number: int, wa: WhatsApp
) -> None:
    graph = graph_of(product)
    with client(graph, str(number), "wao_wrong") as wrong, pytest.raises(errors.ExpiredAccessToken):
        wrong.send_message(TO, "Oi")
    reader = new_token(product, number, ("messages:read",))
    with client(graph, str(number), reader) as reads, pytest.raises(errors.PermissionDenied):
        reads.send_message(TO, "Oi")
    with client(graph, "999999", reader) as foreign, pytest.raises(errors.WhatsAppError) as raised:
        foreign.send_message(TO, "Oi")
    assert (raised.value.code, raised.value.subcode, raised.value.status_code) == (100, 33, 400)


def test_limits_are_raised(wa: WhatsApp) -> None:
    for _ in range(2):
        wa.send_message(TO, "Oi")
    with pytest.raises(errors.TooManyMessages):
        wa.send_message(TO, "Oi")
    for other in ("5511987654322", "5511987654323"):
        wa.send_message(other, "Oi")
    with pytest.raises(errors.RateLimitHit) as raised:
        wa.send_message("5511987654324", "Oi")
    assert raised.value.raw_response is not None
    assert int(raised.value.raw_response.headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    "path", ["nowhere", "1/nowhere", "1/messages/2", "", "v99/1", "%00", "1/messages/%ff"]
)
def test_every_error_of_the_server_can_be_read(product: Application, path: str) -> None:
    for method in ("GET", "POST", "PUT", "DELETE"):
        url = f"{graph_of(product)}/{VERSION}/{path}"
        response = httpx.request(method, url, trust_env=False)
        assert response.status_code >= 400
        raised = errors.WhatsAppError.from_dict(response.json()["error"], response)
        assert raised.details


def test_file_that_is_too_large_is_refused(wa: WhatsApp) -> None:
    large = bytes(16 * 1024 * 1024 + 1)
    with pytest.raises(errors.MediaUploadError) as raised:
        wa.api.upload_media(str(wa.phone_id), large, "application/octet-stream", "a.bin")
    assert raised.value.status_code == 413


def test_body_that_the_server_does_not_read_gets_an_error_that_can_be_read(
    product: Application,
) -> None:
    for path, megabytes in (("media", 17), ("messages", 2)):
        with RawConnection(product) as raw:
            length = str(megabytes * 1024 * 1024)
            first_line = f"POST /graph/{VERSION}/1/{path}?access_token=x"
            response = raw.request(first_line, Content_Length=length)
        assert response.status == 413
        raised = errors.WhatsAppError.from_dict(json.loads(response.body)["error"])
        assert isinstance(raised, errors.MediaUploadError)


# Those that pywa has no class for.
WITHOUT_CLASS = {Code.INVALID, Code.UNKNOWN_PATH, Code.MESSAGE_UNAVAILABLE}
CLASSES = {
    Code.TOO_MANY_CALLS: errors.ToManyAPICalls,
    Code.NOT_ALLOWED: errors.PermissionDenied,
    Code.BAD_TOKEN: errors.ExpiredAccessToken,
    Code.BANNED: errors.TemporarilyBlocked,
    Code.QUEUE_FULL: errors.RateLimitHit,
    Code.UNKNOWN: errors.UnknownError,
    Code.MISSING_FIELD: errors.MissingRequiredParameter,
    Code.BAD_FIELD: errors.InvalidParameter,
    Code.UNAVAILABLE: errors.ServiceUnavailable,
    Code.UNDELIVERABLE: errors.MessageUndeliverable,
    Code.RESTRICTED: errors.SpamRateLimitHit,
    Code.UNSUPPORTED_TYPE: errors.UnsupportedMessageType,
    Code.MEDIA_NOT_FETCHED: errors.MediaDownloadError,
    Code.MEDIA_NOT_UPLOADED: errors.MediaUploadError,
    Code.TOO_MANY_TO_RECIPIENT: errors.TooManyMessages,
    Code.NO_TEMPLATE: errors.TemplateNotExists,
}


@pytest.mark.parametrize("code", Code)
def test_every_code_has_its_class(code: Code) -> None:
    raised = errors.WhatsAppError.from_dict(error_body(code, "why")["error"])
    assert type(raised) is CLASSES.get(code, type(raised))
    assert (type(raised) is errors.WhatsAppError) == (code in WITHOUT_CLASS)
    assert (raised.code, raised.details) == (code, "why")


def test_tokens_and_numbers_are_in_no_log(product: Application, number: int) -> None:
    token = new_token(product, number)
    with client(graph_of(product), str(number), token) as wa:
        wa.send_message(TO, "Oi")
        with pytest.raises(errors.InvalidParameter):
            wa.send_message("hello", "Oi")
    assert token not in product.log_text() and TO not in product.log_text()
