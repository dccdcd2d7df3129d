"""A companion in pure Python, for a thousand clients at once and for protocol violations."""

from __future__ import annotations

import asyncio
import base64
import os
import ssl

from websockets.client import ClientProtocol
from websockets.frames import Frame
from websockets.uri import parse_uri

from simulator import nodes, wire
from simulator.certificates import HOST
from simulator.client import ControlClient, Linked
from simulator.jids import SERVER
from simulator.nodes import Node
from simulator.noise import PROLOGUE, Cipher, SymmetricState
from simulator.process import Simulator
from simulator.transport import PATH, TARGET
from simulator.xeddsa import KeyPair, verify

PREKEYS = [Node("key", {}, [Node("id", {}, b"abc"), Node("value", {}, bytes(32))])] * 30


class ConnectionClosed(Exception):
    """The server closed the connection."""


class LightClient:
    """A companion with its keys and at most one connection."""

    def __init__(self, simulator: Simulator) -> None:
        self.port = int(simulator.proxy_url.rpartition(":")[2])
        self.root = simulator.noise_root
        self.tls = ssl.create_default_context(cafile=simulator.ca_file)
        self.noise, self.identity, self.adv = KeyPair(), KeyPair(), os.urandom(32)
        self.linked: Linked | None = None
        self.ids = 0

    async def link(self, control: ControlClient, number: str = "") -> Linked:
        """Register, scan the first code and sign; the connection ends with a restart."""
        await self.connect()
        await self.handshake(wire.encode({19: wire.encode({4: self.identity.public})}))
        offer = await self.expect("iq", "pair-device")
        self.send(Node("iq", {"to": SERVER, "type": "result", "id": offer.get("id")}))
        scan = asyncio.create_task(asyncio.to_thread(control.scan, self.code(offer), number=number))
        await self.sign(await self.expect("iq", "pair-success"))
        self.linked = await scan
        assert (await self.expect("stream:error")).get("code") == "515"
        await self.close()
        return self.linked

    async def log_in(self) -> Node:
        """Connect and log in; return the server's first stanza: `success` or `failure`."""
        assert self.linked
        user, _, device = self.linked.jid.partition("@")[0].partition(":")
        await self.connect()
        await self.handshake(wire.encode({1: int(user), 18: int(device)}))
        return await self.receive()

    async def go_online(self) -> None:
        """Log in, upload prekeys when there are few, and become active."""
        assert (await self.log_in()).tag == "success"
        count = (await self.query("encrypt", "get", Node("count"))).child("count")
        if count is not None and int(count.get("value")) < 5:
            await self.query("encrypt", "set", Node("list", {}, PREKEYS))
        await self.query("passive", "set", Node("active"))

    async def query(self, namespace: str, kind: str, *content: Node) -> Node:
        """Send an iq and return its answer; other stanzas are dropped."""
        self.ids += 1
        attrs: dict[str, nodes.Attribute] = {"to": SERVER, "xmlns": namespace, "type": kind}
        self.send(Node("iq", {**attrs, "id": f"q{self.ids}"}, list(content) or None))
        while (node := await self.receive()).get("id") != f"q{self.ids}":
            pass
        return node

    async def connect(self) -> None:
        """Open tunnel, TLS and WebSocket. Raises ConnectionClosed when refused."""
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writer.write(f"CONNECT {TARGET} HTTP/1.1\r\nHost: {TARGET}\r\n\r\n".encode())
        head = await self.reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head:
            raise ConnectionClosed(head.decode())
        await self.writer.start_tls(self.tls, server_hostname=HOST)
        self.protocol = ClientProtocol(parse_uri(f"wss://{HOST}{PATH}"))
        self.protocol.send_request(self.protocol.connect())
        self.buffer = b""
        while not self.protocol.handshake_exc and self.protocol.state.name == "CONNECTING":
            await self.pump()
        if self.protocol.handshake_exc:
            raise ConnectionClosed(str(self.protocol.handshake_exc))

    async def handshake(self, payload: bytes) -> None:
        """Run the client's side of the Noise handshake, and check the certificates."""
        state, ephemeral = SymmetricState(), KeyPair()
        state.mix(ephemeral.public)
        hello = wire.encode({2: wire.encode({1: ephemeral.public})})
        self.write(PROLOGUE + len(hello).to_bytes(3, "big") + hello)
        answer = wire.decode(await self.frame()).message(3)
        state.mix(answer.data(1))
        state.mix_key(ephemeral.agree(answer.data(1)))
        static = state.open(answer.data(2))
        state.mix_key(ephemeral.agree(static))
        check_chain(self.root, static, wire.decode(state.open(answer.data(3))))
        sealed = state.seal(self.noise.public)
        state.mix_key(self.noise.agree(answer.data(1)))
        finish = wire.encode({4: wire.encode({1: sealed, 2: state.seal(payload)})})
        self.write(len(finish).to_bytes(3, "big") + finish)
        self.outgoing, self.incoming = state.split()

    outgoing: Cipher
    incoming: Cipher

    def code(self, offer: Node) -> str:
        """Return the text of the first QR code of a pair-device stanza."""
        ref = offer.children()[0].children()[0].data().decode()
        keys = (self.noise.public, self.identity.public, self.adv)
        texts = ",".join(base64.b64encode(key).decode() for key in keys)
        return f"https://wa.me/settings/linked_devices#{ref},{texts},1"

    async def sign(self, success: Node) -> None:
        """Answer a pair-success stanza."""
        identity = success.child("pair-success", "device-identity")
        assert identity
        signed = wire.decode(identity.data()).message(1)
        proof = b"\x06\x01" + signed.data(1) + self.identity.public + signed.data(2)
        answer = wire.encode({1: signed.data(1), 4: self.identity.sign(proof)})
        sign = Node("pair-device-sign", {}, [Node("device-identity", {"key-index": "1"}, answer)])
        attrs: dict[str, nodes.Attribute] = {"to": SERVER, "type": "result"}
        self.send(Node("iq", {**attrs, "id": success.get("id")}, [sign]))

    async def expect(self, tag: str, child: str = "") -> Node:
        """Return the next stanza, which must have this tag (and first child)."""
        node = await self.receive()
        assert node.tag == tag and (not child or node.child(child)), node
        return node

    async def receive(self) -> Node:
        """Return the next stanza. Raises ConnectionClosed."""
        return nodes.decode(self.incoming.open(await self.frame()))

    def send(self, node: Node) -> None:
        """Send a stanza."""
        sealed = self.outgoing.seal(nodes.encode(node))
        self.write(len(sealed).to_bytes(3, "big") + sealed)

    async def close(self) -> None:
        """Abort the connection without closing stanzas."""
        self.writer.transport.abort()
        # TLS aborts its transport in a later iteration of the event loop.
        await asyncio.sleep(0.01)

    def write(self, data: bytes) -> None:
        """Send one WebSocket message."""
        self.protocol.send_binary(data)
        self.writer.write(b"".join(self.protocol.data_to_send()))

    async def frame(self) -> bytes:
        """Return the next frame. Raises ConnectionClosed, and TimeoutError after 20 s."""
        while len(self.buffer) < 3 or len(self.buffer) < 3 + int.from_bytes(self.buffer[:3], "big"):
            await self.pump()
        end = 3 + int.from_bytes(self.buffer[:3], "big")
        frame, self.buffer = self.buffer[3:end], self.buffer[end:]
        return frame

    async def pump(self) -> None:
        """Pass bytes between the socket and the WebSocket."""
        self.writer.write(b"".join(self.protocol.data_to_send()))
        try:
            data = await asyncio.wait_for(self.reader.read(65_536), 20)
        except OSError as error:
            raise ConnectionClosed("the connection broke") from error
        if not data:
            raise ConnectionClosed("the server closed")
        self.protocol.receive_data(data)
        for event in self.protocol.events_received():
            if isinstance(event, Frame) and event.data:
                self.buffer += event.data
        if self.protocol.close_expected():
            self.writer.write(b"".join(self.protocol.data_to_send()))
            raise ConnectionClosed("the server closed")


def check_chain(root: bytes, static: bytes, chain: wire.Message) -> None:
    """Assert that the certificates lead from the root to the server's static key."""
    intermediate, leaf = chain.message(2), chain.message(1)
    assert verify(root, intermediate.data(1), intermediate.data(2))
    assert verify(wire.decode(intermediate.data(1)).data(3), leaf.data(1), leaf.data(2))
    assert wire.decode(leaf.data(1)).data(3) == static
