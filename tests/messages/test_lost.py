"""Messages that WhatsApp believes delivered, and that were lost with a killed process."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from tests.support.application import Application, query_postgres
from tests.support.faults import processes
from tests.support.host_processes import host_processes
from tests.support.messages_api import Chat

SECONDS = 60.0
TABLE = "whatsmeow_message_secrets"
FIND_TABLE = (
    "SELECT quote_ident(schemaname) || '.' || tablename FROM pg_tables"
    f" WHERE tablename = '{TABLE}' AND starts_with(schemaname, %s)"
)


def add_secret(chat: Chat, known: str, lost: str) -> None:
    """Write what the library writes of a message that it decrypts: a copy of a known row."""

    def copied(table: str) -> str:
        columns = "our_jid, chat_jid, sender_jid, message_id, key"
        values = columns.replace("message_id", f"'{lost}'")
        where = f"message_id = '{known}'"
        return f"INSERT INTO {table} ({columns}) SELECT {values} FROM {table} WHERE {where}"

    if url := chat.application.environment.get("DATABASE_URL", ""):
        prefix = f"wa_{chat.organization}_"
        ((table,),) = query_postgres(url, FIND_TABLE.encode(), prefix)
        query_postgres(url, copied(table).encode())
        return
    (store,) = chat.application.data_dir.glob(f"auth_sessions/{chat.organization}/*/*.sqlite3")
    with closing(sqlite3.connect(store, timeout=10)) as database, database:
        database.execute(copied(TABLE))


@pytest.mark.servers
def test_message_lost_right_before_the_phone_unlinks_is_named(
    own_application: Application,
) -> None:
    """The library deletes its table with the device, at the first login after the kill."""
    chat = Chat.start(own_application, own_application.organization(), name="Ana")
    chat.write("Oi")
    known = chat.wait_for_event("message.received")["data"]["whatsappId"]
    hosts = host_processes(own_application)
    with processes.stopped(*hosts):
        add_secret(chat, known, "3EB0LOST")
        own_application.simulator.unlink(number=chat.number)
        for host in hosts:
            processes.kill(host)
    lost = chat.wait_for_event("message.lost", seconds=SECONDS)["data"]
    assert (lost["whatsappId"], lost["reason"]) == ("3EB0LOST", "not_stored")
    assert lost["from"]["phone"] == f"+{chat.person}"
    own_application.wait_for_state(chat.organization, "action_needed")
