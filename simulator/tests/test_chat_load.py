"""Messages of many accounts in both directions, with light clients; prints what they cost."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from simulator import wire
from simulator.jids import Jid
from simulator.nodes import Attribute, Node
from simulator.process import Simulator
from simulator.signal.identity import Identity
from simulator.signal.session import SignalSession

from .light_client import LightClient
from .test_chats_offline import upload
from .test_load import cpu_seconds, in_turn, proportional_megabytes
from .waiting import eventually

ACCOUNTS, SECONDS = 100, 8
SEND_THREADS = 4


class ChatClient(LightClient):
    """A companion that confirms and answers each message of one person."""

    def __init__(self, simulator: Simulator, number: str, person: str) -> None:
        super().__init__(simulator)
        self.control = simulator.control
        self.number, self.person = number, person
        self.keys = Identity(self.identity, 7)
        self.session = SignalSession(self.keys)
        self.received: list[str] = []

    async def start(self) -> None:
        """Link, upload the keys and go online."""
        await self.link(self.control, self.number)
        await self.log_in()
        await self.query("encrypt", "set", *upload(self.keys))
        await self.query("passive", "set", Node("active"))

    async def serve(self) -> None:
        """Handle stanzas until the task is cancelled."""
        while True:
            node = await self.receive()
            encrypted = node.child("enc")
            if node.tag == "receipt":
                self.confirm(node)
            if node.tag != "message" or encrypted is None:
                continue
            plain = wire.decode(self.session.decrypt(encrypted.get("type"), encrypted.data()))
            self.received.append(plain.text(1))
            sender = node.attrs["from"]
            self.send(Node("receipt", {"to": sender, "id": node.get("id"), "type": "inactive"}))
            self.answer(sender, f"re {plain.text(1)}")

    def confirm(self, receipt: Node) -> None:
        """Acknowledge a receipt."""
        attrs: dict[str, Attribute] = {
            "class": "receipt",
            "id": receipt.get("id"),
            "to": receipt.attrs["from"],
        }
        if receipt.get("type"):
            attrs["type"] = receipt.get("type")
        self.send(Node("ack", attrs))

    def answer(self, to: object, text: str) -> None:
        """Send a text."""
        assert isinstance(to, Jid)
        kind, data = self.session.encrypt(wire.encode({1: text}))
        copy = Node("to", {"jid": to}, [Node("enc", {"v": "2", "type": kind}, data)])
        self.ids += 1
        attrs: dict[str, Attribute] = {"to": to, "id": f"A{self.ids}", "type": "text"}
        self.send(Node("message", attrs, [Node("participants", {}, [copy])]))


def test_messages_of_many_accounts_arrive_once(simulator: Simulator) -> None:
    asyncio.run(measure(simulator))


async def measure(simulator: Simulator) -> None:
    """Let each person write once a second, and print the simulator's CPU and memory."""
    control, pid = simulator.control, simulator.process.pid
    clients = []
    for index in range(ACCOUNTS):
        number, person = f"55119810{index:05d}", f"55119820{index:05d}"
        await asyncio.to_thread(control.save_person, person)
        clients.append(ChatClient(simulator, number, person))
    await in_turn(client.start() for client in clients)
    tasks = [asyncio.create_task(client.serve()) for client in clients]
    began, cpu = time.monotonic(), cpu_seconds(pid)
    with ThreadPoolExecutor(SEND_THREADS) as threads:
        for turn in range(SECONDS):
            say = [
                asyncio.get_running_loop().run_in_executor(
                    threads, control.say, client.person, client.number, f"{turn}"
                )
                for client in clients
            ]
            await asyncio.gather(*say)
            await asyncio.sleep(max(0.0, began + turn + 1 - time.monotonic()))
    total = ACCOUNTS * SECONDS
    sent = await asyncio.to_thread(
        eventually,
        control.sent,
        lambda rows: [row["state"] for row in rows] == ["receipted"] * total,
        30.0,
    )
    share = (cpu_seconds(pid) - cpu) / (time.monotonic() - began)
    for task in tasks:
        task.cancel()
    assert len({row["id"] for row in sent}) == total
    expected = [f"{turn}" for turn in range(SECONDS)]
    assert all(client.received == expected for client in clients)
    for client in clients:
        answers = await asyncio.to_thread(control.received, client.person)
        assert [answer["text"]["body"] for answer in answers] == [f"re {t}" for t in expected]
        assert {(answer["copies"], answer["repeats"]) for answer in answers} == {(1, 0)}
    print(
        f"{total} messages in and out, {ACCOUNTS} a second each: {share:.0%} of a core, "
        f"{share / ACCOUNTS * 1e6:.0f} us for two, {proportional_megabytes(pid):.0f} MB"
    )
    await in_turn((client.close() for client in clients), ACCOUNTS)
