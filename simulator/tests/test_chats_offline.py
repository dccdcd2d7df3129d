"""What waits for a companion: while it is away, and until it has confirmed it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from simulator.chats.directory import bundle_nodes
from simulator.chats.store import ChatStore, Person
from simulator.jids import SERVER, Jid
from simulator.nodes import Node
from simulator.process import Simulator, start
from simulator.signal.identity import Identity
from simulator.signal.session import SignalSession
from simulator.store import Store
from simulator.xeddsa import KeyPair

from .companions import companion, link, linked
from .light_client import LightClient
from .test_server import run
from .waiting import eventually

NUMBER, PERSON = "5511987654321", "5511912345678"


def upload(identity: Identity) -> list[Node]:
    """Return the upload of an identity with one one-time key."""
    registration, kind, key, signed, one_time = bundle_nodes(identity.bundle())
    return [registration, kind, key, Node("list", {}, [one_time]), signed]


async def log_in(client: LightClient) -> list[Node]:
    """Log in and return all stanzas up to the marker after what waited."""
    assert (await client.log_in()).tag == "success"
    stanzas = [await client.receive()]
    while not stanzas[-1].child("offline"):
        stanzas.append(await client.receive())
    return stanzas


def test_messages_wait_over_a_restart_and_come_between_the_markers(tmp_path: Path) -> None:
    state, database = tmp_path / "state", tmp_path / "session.db"
    with start(state) as simulator:
        link(simulator, database, NUMBER)
        simulator.control.save_person(PERSON)
        for text in ("one", "two"):
            simulator.control.say(PERSON, NUMBER, text)
        assert [device["waiting"] for device in simulator.control.devices()] == [2]
        simulator.kill()
    with start(state) as simulator:
        simulator.control.say(PERSON, NUMBER, "three")
        with companion(simulator, database) as org:
            assert org.wait("OfflinePreview")["messages"] == 3
            assert org.wait("OfflineCompleted")["count"] == 3
            texts = [e["message"]["conversation"] for e in org.seen if e["event"] == "Message"]
            while len(texts) < 3:
                texts.append(org.wait("Message")["message"]["conversation"])
            assert texts == ["one", "two", "three"]
            control = simulator.control
            eventually(lambda: control.devices()[0]["waiting"], lambda waiting: waiting == 0)
            assert [sent["state"] for sent in control.sent(NUMBER)] == ["receipted"] * 3
        with companion(simulator, database) as org:
            assert org.wait("OfflineCompleted")["count"] == 0


def test_message_comes_again_until_it_is_confirmed(simulator: Simulator) -> None:
    simulator.control.save_person(PERSON)
    identity = Identity(KeyPair(), 7)

    async def step(client: LightClient) -> None:
        await client.link(simulator.control, NUMBER)
        await client.log_in()
        await client.query("encrypt", "set", *upload(identity))
        message_id = simulator.control.say(PERSON, NUMBER, "hello")
        while (first := await client.receive()).tag != "message":
            pass
        assert first.get("id") == message_id and not first.get("offline")
        await client.close()
        preview, again, _ = await log_in(client)
        counts = preview.child("offline_preview")
        assert counts and (counts.get("message"), counts.get("receipt")) == ("1", "0")
        assert (again.get("id"), again.get("offline")) == (message_id, "0")
        encrypted = again.child("enc")
        assert encrypted
        plain = SignalSession(identity).decrypt(encrypted.get("type"), encrypted.data())
        assert b"hello" in plain
        receipt = Node("receipt", {"to": again.attrs["from"], "id": message_id})
        client.send(receipt)
        await client.query("w:p", "get")
        await client.close()
        assert len(await log_in(client)) == 1

    run(simulator, step)


def test_fate_of_messages_to_an_unlinked_account_is_known(
    simulator: Simulator, database: Path
) -> None:
    control = simulator.control
    control.save_person(PERSON)
    with linked(simulator, database, NUMBER) as org:
        control.say(PERSON, NUMBER, "read")
        org.wait("Message")
        eventually(lambda: control.sent(NUMBER), lambda rows: rows[0]["receipted_at"])
    control.say(PERSON, NUMBER, "waits")
    control.unlink(number=NUMBER)
    control.say(PERSON, NUMBER, "only for the phone")
    fates = [(row["state"], row["devices"]) for row in control.sent(NUMBER)]
    assert fates == [("receipted", 1), ("dropped", 1), ("no_devices", 0)]
    assert [message["text"] for message in control.messages(NUMBER)] == [
        "read",
        "waits",
        "only for the phone",
    ]


def test_receipts_wait_until_they_are_acknowledged(simulator: Simulator, database: Path) -> None:
    simulator.control.save_person(PERSON, auto="none")
    devices = simulator.control.devices
    with linked(simulator, database, NUMBER) as org:
        message_id = org.send_text(PERSON, "hello")
        org.wait_all("Receipt", 1)
        # Not only shown: what is not acknowledged yet would come again.
        eventually(lambda: devices()[0]["waiting"], lambda count: count == 0)
    simulator.control.read(PERSON, NUMBER, [message_id])
    with companion(simulator, database) as org:
        receipt = org.wait("Receipt")
        assert (receipt["ids"], receipt["type"]) == ([message_id], "READ")
        eventually(lambda: devices()[0]["waiting"], lambda count: count == 0)


def test_many_waiting_messages_reach_a_slow_reader(simulator: Simulator) -> None:
    simulator.control.save_person(PERSON)
    identity = Identity(KeyPair(), 7)
    text = "x" * 40_000

    async def step(client: LightClient) -> None:
        await client.link(simulator.control, NUMBER)
        await client.log_in()
        await client.query("encrypt", "set", *upload(identity))
        await client.close()
        await asyncio.to_thread(
            lambda: [simulator.control.say(PERSON, NUMBER, text) for _ in range(150)]
        )
        assert (await client.log_in()).tag == "success"
        await asyncio.sleep(0.5)  # six megabytes do not fit into the buffers
        stanzas = [await client.receive()]
        while not stanzas[-1].child("offline"):
            stanzas.append(await client.receive())
        assert [node.tag for node in stanzas] == ["ib", *["message"] * 150, "ib"]

    run(simulator, step)


def test_new_companion_of_the_recipient_gets_the_next_message(
    simulator: Simulator, tmp_path: Path
) -> None:
    simulator.control.save_person(PERSON)
    with linked(simulator, tmp_path / "one.db", NUMBER) as one:
        one.send_text(PERSON, "to the phone only")
        with linked(simulator, tmp_path / "two.db", PERSON) as two:
            one.send_text(PERSON, "to both")
            assert two.wait("Message")["message"]["conversation"] == "to both"
        # Its own new companion gets copies at once, too.
        with linked(simulator, tmp_path / "three.db", NUMBER) as three:
            one.send_text(PERSON, "copied")
            assert three.wait("Message")["message"]["conversation"] == "copied"
    log = (tmp_path / "one.log").read_text()
    assert "participant list hash" not in log, log


def test_companion_uploads_new_keys_when_few_are_left(simulator: Simulator, database: Path) -> None:
    async def step(client: LightClient) -> None:
        await client.link(simulator.control, PERSON)
        await client.log_in()
        user = Node("user", {"jid": Jid(NUMBER, SERVER.server, 1), "reason": "identity"})
        await client.query("encrypt", "get", Node("key", {}, [user] * 808))

    with linked(simulator, database, NUMBER):
        before = simulator.control.stats()["prekey_uploads"]
        run(simulator, step)
        uploads = lambda: simulator.control.stats()["prekey_uploads"]  # noqa: E731
        eventually(uploads, lambda count: count == before + 1)


def test_tables_of_an_older_simulator_are_replaced(tmp_path: Path) -> None:
    store = Store(tmp_path / "world.db")
    store.database.run("CREATE TABLE sent (number TEXT); CREATE TABLE waiting (x TEXT)")
    chats = ChatStore(store.database)
    assert (chats.sent("", 0, 10), list(chats.waiting())) == ([], [])
    chats.save_person(Person(PERSON))
    store.close()
    store = Store(tmp_path / "world.db")
    assert list(ChatStore(store.database).people()) == [Person(PERSON)]
    store.close()
