"""Messages that WhatsApp believes delivered, and that were lost with a killed process."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from tests.support.application import Application, query_postgres, until
from tests.support.faults import processes
from tests.support.host_processes import host_processes
from tests.support.messages_api import Chat

SECONDS = 60.0
TABLE = "whatsmeow_message_secrets"
FIND_TABLE = (
    "SELECT quote_ident(schemaname) || '.' || tablename FROM pg_tables"
    f" WHERE tablename = '{TABLE}' AND starts_with(schemaname, %s)"
)


COLUMNS = "our_jid, chat_jid, sender_jid, message_id, key"
FORGET = (
    "from messaging.models import Message; "
    "assert Message.objects.filter(whatsapp_id='{message}').delete()[0]"
)


def change_secrets(chat: Chat, statement: str) -> None:
    """Change the library's table of message secrets, `{table}`; its process stands still."""
    if url := chat.application.environment.get("DATABASE_URL", ""):
        prefix = f"wa_{chat.organization}_"
        ((table,),) = query_postgres(url, FIND_TABLE.encode(), prefix)
        query_postgres(url, statement.format(table=table).encode())
        return
    (store,) = chat.application.data_dir.glob(f"auth_sessions/{chat.organization}/*/*.sqlite3")
    with closing(sqlite3.connect(store, timeout=10)) as database, database:
        database.execute(statement.format(table=TABLE))


def add_secret(chat: Chat, known: str, lost: str) -> None:
    """Write what the library writes of a message that it decrypts: a copy of a known row."""
    values = COLUMNS.replace("message_id", f"'{lost}'")
    where = f"message_id = '{known}'"
    change_secrets(
        chat,
        f"INSERT INTO {{table}} ({COLUMNS}) SELECT {values} FROM {{table}} WHERE {where}",
    )


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


@pytest.mark.servers
def test_message_that_a_kill_lost_right_after_its_decryption_is_named(
    own_application: Application,
) -> None:
    """WhatsApp delivers it again, and the library confirms and drops what it cannot decrypt."""
    chat = Chat.start(own_application, own_application.organization(), name="Ana")
    chat.application.simulator.arm("receipts_ignored", number=chat.number)
    chat.write("Oi")
    lost = chat.wait_for_event("message.received")["data"]["whatsappId"]
    spools = own_application.data_dir / "spool" / str(chat.organization)
    until(lambda: not any(path.stat().st_size for path in spools.iterdir()), SECONDS, "a trim")
    hosts = host_processes(own_application)
    with processes.stopped(*hosts):
        change_secrets(chat, f"DELETE FROM {{table}} WHERE message_id = '{lost}'")
        own_application.manage("shell", "-c", FORGET.format(message=lost))
        own_application.simulator.clear_faults()
        for host in hosts:
            processes.kill(host)
    data = chat.wait_for_event("message.lost", seconds=SECONDS)["data"]
    assert (data["whatsappId"], data["reason"]) == (lost, "not_stored")
    chat.write("Ainda está aí?")
    assert chat.wait_for_event("message.received")["data"]["text"]["body"] == "Ainda está aí?"
