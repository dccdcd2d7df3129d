"""Linking another phone is in history and audit, with the last digits of the numbers."""

from __future__ import annotations

from tests.lifecycle.api_reads import events_of, status_of
from tests.support.application import Application
from tests.support.linking import decode

FIRST, SECOND = "5511981000411", "5511981000422"
MEXICAN, MEXICAN_WITHOUT_1 = "5215598765432", "525598765432"
KINDS = ("connection", "audit")


def link_and_disconnect(application: Application, organization: int, number: str) -> str:
    """Link the phone with this number, then unlink it. Return the status' detail meanwhile."""
    code = decode(application.api("POST", organization, "reconnect"))
    application.simulator.scan(code, number=number)
    status = application.wait_for_state(organization, "connected")
    assert (status["number"], status["reason"]) == (number, "linked")
    assert application.api("DELETE", organization, "disconnect").status == 200
    detail = str(status["detail"])
    assert events_of(application, organization, "linked")[0]["detail"] == detail
    return detail


def changes(application: Application, organization: int) -> list[str]:
    """Return the details of the audit's lines about another phone, the oldest first."""
    lines = events_of(application, organization, "linked_number_changed", kind="audit")
    assert {line["sentence"] for line in lines} <= {"Another phone linked."}
    return [line["detail"] for line in reversed(lines)]


def changed(before: str, after: str) -> str:
    return f"the number changed: it ended in {before[-4:]}, now it ends in {after[-4:]}"


def test_another_number_is_in_history_and_audit(
    application: Application, organization: int
) -> None:
    assert link_and_disconnect(application, organization, FIRST) == ""
    assert link_and_disconnect(application, organization, SECOND) == changed(FIRST, SECOND)
    assert changes(application, organization) == ["…0411 → …0422"]
    assert link_and_disconnect(application, organization, FIRST) == changed(SECOND, FIRST)
    assert changes(application, organization) == ["…0411 → …0422", "…0422 → …0411"]
    assert status_of(application, organization)["detail"] == ""
    everything = str([events_of(application, organization, kind=kind) for kind in KINDS])
    for number in (FIRST, SECOND):
        assert number not in everything and number not in application.log_text()


def test_same_phone_adds_no_event(application: Application, organization: int) -> None:
    for _ in range(2):
        assert link_and_disconnect(application, organization, FIRST) == ""
    assert changes(application, organization) == []


def test_other_spelling_of_the_number_adds_no_event(
    application: Application, organization: int
) -> None:
    for number in (MEXICAN, MEXICAN_WITHOUT_1, MEXICAN):
        assert link_and_disconnect(application, organization, number) == ""
    assert changes(application, organization) == []
