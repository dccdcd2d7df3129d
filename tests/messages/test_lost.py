"""Messages that WhatsApp believes delivered, and that were lost with a killed process."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from tests.support.application import Application, query_postgres, until
from tests.support.faults import processes
from tests.support.host_processes import host_processes
from tests.support.linking import link
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


COUNT = (
    "from messaging.models import Contact, HandledId, HistoryId; "
    "print([model.objects.count() for model in (HandledId, HistoryId, Contact)])"
)


def counts(application: Application) -> list[int]:
    """Return how many handled ids, ids of old messages, and contacts are stored."""
    found: list[int] = json.loads(application.manage("shell", "-v", "0", "-c", COUNT))
    return found


@pytest.mark.servers
def test_history_of_a_phone_is_not_lost_and_swallows_nothing(own_application: Application) -> None:
    """The library stores the secrets of old messages like those of messages that arrive."""
    control = own_application.simulator
    control.set_history(True)
    people = [control.save_person(name=name)["number"] for name in ("Ana", "Rui")]
    number = control.save_person()["number"]
    for turn in range(15):
        for person in people:
            control.say(person, number, f"old question {turn}")
            control.say(number, person, f"old answer {turn}")
    organization = own_application.organization()
    chat = Chat(
        own_application, organization, link(own_application, organization, number), people[0]
    )
    # Three notices, whose ids were stored and compared before the second login, or will be soon.
    until(lambda: counts(own_application)[0] == 3, SECONDS, "the notices of the history")
    # The phone makes one more history while a message is on its way here.
    control.arm("deliver_late", number=number, count=1, ms=2000)
    late = chat.write("Are you there?")
    assert late in control.send_history(number, "full")
    received = chat.wait_for_event("message.received")["data"]
    assert (received["whatsappId"], received["text"]["body"]) == (late, "Are you there?")
    assert counts(own_application)[2] == 1
    hosts = host_processes(own_application)
    with processes.stopped(*hosts):
        add_secret(chat, late, "3EB0LOST")
        for host in hosts:
            processes.kill(host)
    lost = chat.wait_for_event("message.lost", seconds=SECONDS)["data"]
    assert lost["whatsappId"] == "3EB0LOST"
    assert chat.events("message.lost") == []
    assert counts(own_application)[2] == 1


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
