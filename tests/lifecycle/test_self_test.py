"""Test messages to the linked number, with the real neonize."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from connections.refusals import NotConnected
from connections.self_test_texts import FAILED, SENDING, SENT, Failure
from connections.worker.tasks.stability import STABLE_SECONDS
from tests.support.application import Answer, Application, until
from tests.support.linking import link

pytestmark = pytest.mark.servers

TEXT = "Test message from WhatsApp Orgs: this organization's WhatsApp connection works."
ASK_IN_ANOTHER_PROCESS = (
    "from connections import actions; from organizations.access import COMMAND_LINE; "
    "actions.request_self_test({organization}, COMMAND_LINE)"
)

SPARE_SECONDS = 2.0


@pytest.fixture(scope="module", autouse=True)
def held(application: Application) -> tuple[int, str, float]:
    """An organization that is linked before everything else here, its number, and when it was."""
    (organization,) = application.new_organizations("Held")
    number = link(application, organization)
    return organization, number, time.monotonic()


def ask(application: Application, organization: int) -> Answer:
    return application.api("POST", organization, "test-message")


def newest(application: Application, organization: int) -> dict[str, Any]:
    found: dict[str, Any] = application.api("GET", organization, "test-message").body["test"]
    return found


def texts(application: Application, number: str) -> list[str]:
    return [message["text"] for message in application.simulator.messages(number)]


def silenced(application: Application, number: str) -> str:
    """Make WhatsApp ignore the next message of this number. Returns the fault's id."""
    return application.simulator.arm("no_ack", number=number, count=1)


def test_test_message_arrives_on_the_phone(application: Application, organization: int) -> None:
    before = ask(application, organization)
    assert (before.status, before.body["code"]) == (409, "not_connected")
    assert before.body["message"] == str(NotConnected())
    number = link(application, organization)
    assert newest(application, organization) is None
    answer = ask(application, organization)
    assert (answer.status, answer.body) == (200, {"success": True, "message": SENT})
    assert texts(application, number) == [TEXT]
    told = newest(application, organization)
    assert (told["state"], told["sentence"]) == ("sent", SENT)
    assert number not in application.log_text()

    history = application.request("GET", f"/api/v1/organizations/{organization}/events")
    assert history.body["results"][0]["event"] == "linked", "it is no line of the history"


def test_refusal_by_whatsapp_is_reported(application: Application, organization: int) -> None:
    number = link(application, organization)
    application.simulator.arm("nack", number=number, count=1)
    answer = ask(application, organization)
    assert (answer.status, answer.body["code"]) == (503, "refused")
    assert answer.body["message"] == FAILED[Failure.REFUSED]
    assert newest(application, organization)["state"] == "failed"
    assert texts(application, number) == []
    assert ask(application, organization).status == 200
    assert texts(application, number) == [TEXT]


def test_message_is_lost_with_a_new_link(application: Application, organization: int) -> None:
    """Its client is closed, rather than left to reconnect by itself (worker/child/relinking.py)."""
    number = link(application, organization)
    silenced(application, number)
    with ThreadPoolExecutor(max_workers=1) as pool:
        asked = pool.submit(ask, application, organization)
        until(lambda: not application.simulator.faults(), 10, "the message")
        application.simulator.drop(number=number)
        answer = asked.result()
    assert (answer.status, answer.body["code"]) == (503, "link_lost")
    assert texts(application, number) == []


def test_disconnect_ends_the_test_message(application: Application, organization: int) -> None:
    number = link(application, organization)
    silenced(application, number)
    with ThreadPoolExecutor(max_workers=1) as pool:
        asked = pool.submit(ask, application, organization)
        until(lambda: not application.simulator.faults(), 10, "the message")
        assert application.api("DELETE", organization, "disconnect").status == 200
        answer = asked.result()
    assert (answer.status, answer.body["code"]) == (503, "link_lost")
    assert newest(application, organization) is None, "no number is linked any more"


def test_unanswered_message_times_out_without_blocking(application: Application) -> None:
    silent, other = application.new_organizations("Silent", "Other")
    number = link(application, silent)
    link(application, other)
    silenced(application, number)
    answer = ask(application, silent)
    assert (answer.status, answer.body) == (202, {"message": SENDING, "retryIn": 3000})
    again = ask(application, silent)
    assert (again.status, again.body["code"]) == (429, "too_many_requests")
    assert 1 <= int(again.headers["Retry-After"]) <= 30
    assert ask(application, other).status == 200, "they share a host process"
    until(lambda: newest(application, silent)["state"] == "failed", 40, "the deadline")
    assert newest(application, silent)["sentence"] == FAILED[Failure.NO_ANSWER]
    assert application.api("GET", silent, "status").body["state"] == "connected"
    assert texts(application, number) == []


def test_worker_finds_a_request_without_a_signal(
    application: Application, organization: int
) -> None:
    number = link(application, organization)
    application.manage("shell", "-c", ASK_IN_ANOTHER_PROCESS.format(organization=organization))
    until(lambda: texts(application, number) == [TEXT], 15, "the message")
    until(lambda: newest(application, organization)["state"] == "sent", 5, "the outcome")
    assert newest(application, organization)["by"] == "command line"


def test_sixth_message_in_ten_minutes_is_refused(
    application: Application, organization: int
) -> None:
    number = link(application, organization)
    assert [ask(application, organization).status for _ in range(6)] == [200] * 5 + [429]
    assert texts(application, number) == [TEXT] * 5


def test_message_is_sent_again_after_a_lost_response(
    application: Application, held: tuple[int, str, float]
) -> None:
    """The last one here: its link has had the time to hold meanwhile."""
    organization, number, linked_at = held
    time.sleep(max(0.0, linked_at + STABLE_SECONDS + SPARE_SECONDS - time.monotonic()))
    silenced(application, number)
    with ThreadPoolExecutor(max_workers=1) as pool:
        asked = pool.submit(ask, application, organization)
        until(lambda: not application.simulator.faults(), 10, "the message")
        application.simulator.drop(number=number)
        assert asked.result().status in (200, 202)
    until(lambda: newest(application, organization)["state"] == "sent", 15, "the outcome")
    assert texts(application, number) == [TEXT]
