"""The pairing of a companion: QR references, the phone's answer, the companion's signature."""

from __future__ import annotations

import asyncio
import base64
import os
import time
from dataclasses import dataclass

from .faults import Fault
from .jids import SERVER
from .linkcode import CodeExchange
from .nodes import Attribute, Node
from .phone import Code, Phone
from .roles import ClientConnection
from .stanzas import notification, passkey_request
from .store import Device
from .wire import Message
from .world import World

FIRST_REF_SECONDS, REF_SECONDS = 60.0, 20.0
_DEFAULT_REFS = 6
_MARGIN_SECONDS = 15.0
_WRAPPED_COMPANION = "link_code_pairing_wrapped_companion_ephemeral_pub"


class CompanionRefused(Exception):
    """The companion did not accept the phone's answer, or did not get one."""


class RefUsed(Exception):
    """The reference was used, or its connection has ended."""


@dataclass(slots=True)
class _Offer:
    """A phone's answer that the companion has not confirmed yet."""

    phone: Phone
    details: bytes
    device: Device
    query_id: str
    done: asyncio.Future[Device]


@dataclass(frozen=True, slots=True)
class _ScanTarget:
    """A `faults.Target` with the companion's connection and the phone's number."""

    id: str
    number: str


@dataclass(slots=True)
class _CodeRequest:
    """A companion's pairing by code: the phone's number, and its key encrypted with the code."""

    number: str
    wrapped: bytes
    ref: bytes
    finish: asyncio.Future[tuple[bytes, bytes]] | None = None


class Pairing:
    """The role of a connection that is to be linked, until it is or its references expire."""

    def __init__(
        self,
        world: World,
        connection: ClientConnection,
        noise_key: bytes,
        registration: Message,
    ) -> None:
        self.state = "pairing"
        self._connection = connection
        self._world = world
        self.noise_key = noise_key
        self._identity = registration.data(4)
        self._phone: Phone | None = None
        self._offer: _Offer | None = None
        self._request: _CodeRequest | None = None
        count = world.settings.refs
        self._refs = ["2@" + base64.b64encode(os.urandom(48)).decode() for _ in range(count)]

    @property
    def number(self) -> str:
        """Return the phone number, empty until a phone has answered."""
        return self._phone.number if self._phone else ""

    @property
    def jid(self) -> str:
        """Return the device's address, empty until a phone has answered."""
        return str(self._offer.device.jid) if self._offer else ""

    def start(self) -> None:
        """Send the references."""
        for ref in self._refs:
            self._world.add_ref(ref, self)
        self._connection.refs_issued = len(self._refs)
        self.renew_deadline()
        children = [Node("ref", {}, ref.encode()) for ref in self._refs]
        self._push(Node("pair-device", {}, children))

    def renew_deadline(self) -> None:
        """Restart the connection's deadline, as if all codes were shown from now on."""
        self._connection.expire_in(lifetime(len(self._refs)))

    async def link(self, phone: Phone, code: Code) -> Device:
        """Send a phone's answer for a scanned code, wait for the companion, and return the device.

        Raises CompanionRefused, or RefUsed when the code was used or its connection has ended.
        """
        self._check_unused()
        self._world.statistics.scans += 1
        self._check_multi_device(phone)
        self._check_passkey(phone)
        number = self._world.new_device_number(phone)
        device = Device(phone, number, self.noise_key, code.identity)
        done: asyncio.Future[Device] = asyncio.get_running_loop().create_future()
        self._phone = phone
        self._offer = _Offer(phone, b"", device, "", done)
        corruptions = (kind for kind in ("bad_hmac", "bad_signature") if self._fault(kind, phone))
        corruption = next(corruptions, "")
        message, self._offer.details = phone.sign_companion(code, number, corruption)
        self._offer.query_id = self._push(
            Node(
                "pair-success",
                {},
                [
                    Node("device-identity", {}, message),
                    Node("device", {"jid": device.jid, "lid": phone.lid_jid(number)}),
                    Node("platform", {"name": phone.platform}),
                    *([Node("biz", {"name": phone.name})] if phone.name else []),
                ],
            )
        )
        return await done

    def shows_code_for(self, number: str) -> bool:
        """Return whether the companion shows a code for the phone with this number."""
        return self._phone is None and self._request is not None and self._request.number == number

    async def link_by_code(self, phone: Phone, code: str) -> Device:
        """Enter a normalized code on a phone, then continue as `link`.

        Raises WrongCode for another code than the companion's; another attempt is possible.
        """
        request = self._request
        if request is None or (request.finish and not request.finish.done()):
            raise RefUsed("no code is waited for, or it is being tried")
        self._check_unused()
        # Before anything is sent to the companion, so that the same code can be entered again.
        self._check_multi_device(phone)
        request.finish = asyncio.get_running_loop().create_future()
        exchange = await asyncio.to_thread(CodeExchange, phone.keys, code, request.wrapped)
        self._send_hello(request, exchange)
        bundle, identity = await request.finish
        secret = exchange.adv_secret(bundle, identity)
        return await self.link(phone, Code(self._refs[0], self.noise_key, identity, secret))

    def handle(self, node: Node) -> None:
        """Answer one stanza."""
        if node.tag != "iq":
            return
        if node.get("type") == "set" and (step := node.child("link_code_companion_reg")):
            self._handle_code_stage(node, step)
        elif node.get("type") in ("get", "set"):
            self._connection.answer(node)
        elif self._offer and node.get("id") == self._offer.query_id and not self._offer.done.done():
            self._finish_link(node, self._offer)

    def end(self) -> None:
        """Expire the references and fail a pending link."""
        self._world.expire_refs(self._refs)
        gone = CompanionRefused("the companion went away")
        if self._offer and not self._offer.done.done():
            self._offer.done.set_exception(gone)
        if self._request and self._request.finish and not self._request.finish.done():
            self._request.finish.set_exception(gone)

    def _check_unused(self) -> None:
        if self._phone is not None or self._connection.state == "closing":
            raise RefUsed("the code has been used")

    def _check_multi_device(self, phone: Phone) -> None:
        if self._fault("downgrade_webclient", phone):
            self._connection.send(Node("ib", {"from": SERVER}, [Node("downgrade_webclient")]))
            raise CompanionRefused("the phone has no multi-device")

    def _check_passkey(self, phone: Phone) -> None:
        if fault := self._fault("passkey", phone):
            self._phone = phone
            stanza_id = self._connection.next_id()
            self._connection.send(passkey_request(stanza_id, bool(fault.integer("options"))))
            raise CompanionRefused("the phone asks for a passkey")

    def _handle_code_stage(self, query: Node, step: Node) -> None:
        if step.get("stage") == "companion_hello":
            number = step.get("jid").partition("@")[0]
            ref = os.urandom(32).hex().encode()
            self._request = _CodeRequest(number, _child_data(step, _WRAPPED_COMPANION), ref)
            content = [Node("link_code_pairing_ref", {}, ref)]
            self._connection.answer(query, [Node("link_code_companion_reg", {}, content)])
            return
        self._connection.answer(query)
        request = self._request
        if request and request.finish and not request.finish.done():
            bundle = _child_data(step, "link_code_pairing_wrapped_key_bundle")
            request.finish.set_result((bundle, _child_data(step, "companion_identity_public")))

    def _send_hello(self, request: _CodeRequest, exchange: CodeExchange) -> None:
        kind = "link_code_companion_reg"
        content = [
            Node("link_code_pairing_wrapped_primary_ephemeral_pub", {}, exchange.wrapped),
            Node("primary_identity_pub", {}, exchange.identity),
            Node("link_code_pairing_ref", {}, request.ref),
        ]
        hello = Node(kind, {"stage": "primary_hello"}, content)
        self._connection.send(notification(kind, self._connection.next_id(), [hello]))

    def _finish_link(self, node: Node, offer: _Offer) -> None:
        if node.get("type") == "error":
            error = node.child("error")
            self._refuse(offer, error.get("text") if error else "unknown error")
            return
        answer = node.child("pair-device-sign", "device-identity")
        signed = answer.data() if answer else b""
        if not offer.phone.verify_companion(signed, offer.details, offer.device.identity):
            self._refuse(offer, "the companion's signature is wrong")
            return
        self._world.link(offer.device)
        self._world.statistics.pairings += 1
        offer.done.set_result(offer.device)
        self._connection.restart()

    def _refuse(self, offer: _Offer, why: str) -> None:
        self._world.statistics.pairings_refused += 1
        offer.done.set_exception(CompanionRefused(why))
        self._connection.close_later()

    def _fault(self, kind: str, phone: Phone) -> Fault | None:
        return self._world.faults.take(kind, _ScanTarget(self._connection.id, phone.number))

    def _push(self, content: Node) -> str:
        query_id = self._connection.next_id()
        attrs: dict[str, Attribute] = {"from": SERVER, "type": "set", "xmlns": "md"}
        attrs |= {"id": query_id, "t": str(int(time.time()))}
        self._connection.send(Node("iq", attrs, [content]))
        return query_id


def lifetime(refs: int) -> float:
    """Return the maximum seconds of a pairing connection: the time of its codes and a margin."""
    first = FIRST_REF_SECONDS if refs == _DEFAULT_REFS else REF_SECONDS
    return first + REF_SECONDS * (refs - 1) + _MARGIN_SECONDS


def _child_data(node: Node, tag: str) -> bytes:
    child = node.child(tag)
    return child.data() if child else b""
