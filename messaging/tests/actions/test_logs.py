"""No text, number, name or id of a person is in a log, whatever happens to a message."""

from __future__ import annotations

import logging

import pytest

from connections.worker.message_port import StoredSecret
from messaging.actions import lost, maintenance, outcomes
from messaging.tests.support.linked import Linked, ready
from messaging.tests.support.records import (
    change,
    group_message,
    lid_jid,
    message,
    receipt,
    undecryptable,
)

pytestmark = pytest.mark.django_db

NUMBER, SECRET_LID = "4915155512345", "777666555444333"
TEXT, NAME = "the-secret-text", "the-secret-name"
WHATSAPP_ID = "3EB0FEDCBA9876543210"


def test_logs_name_no_person_and_no_text(linked: Linked, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    linked.store(
        message(NUMBER, SECRET_LID, TEXT, push_name=NAME, id=WHATSAPP_ID),
        group_message(NUMBER, body=TEXT),
        undecryptable(NUMBER, push_name=NAME),
        change("edit", WHATSAPP_ID, of_us=False, number=NUMBER, body=TEXT),
        receipt(WHATSAPP_ID),
        {"kind": "unparsed", "event": 17, "data": TEXT, "account": NUMBER, "at": 1},
    )
    for outcome in (
        {"error": "refused", "code": 479},
        {"error": "timed_out", "maybe_sent": True, "whatsapp_id": WHATSAPP_ID},
        {"error": "not_connected"},
        {},
    ):
        queued = linked.enqueue(NUMBER, TEXT)
        linked.take()
        ready(linked.record(queued, **outcome))
        linked.send_next()
    linked.enqueue("4915155512346", TEXT)
    outcomes.record_resolved(linked.take_outgoing(), None, "")
    secret = StoredSecret(1, lid_jid(SECRET_LID), lid_jid(SECRET_LID), "3EB0FEDC", b"?")
    lost.record_secrets(linked.fence, [secret], 1, 1)
    maintenance.maintain()
    logged = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert "a message was not sent" in logged and "a record cannot be read" in logged
    for word in (NUMBER, "4915155512346", SECRET_LID, TEXT, NAME, "3EB0FEDC"):
        assert word not in logged
