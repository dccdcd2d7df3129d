"""The simulated phones: they encrypt, decrypt, confirm and send again, as official apps do."""

from __future__ import annotations

import json
import logging
import os
import time

from simulator import wire
from simulator.jids import Jid
from simulator.nodes import Attribute, Node
from simulator.phone import Phone, ReceivedMessage
from simulator.signal.primitives import Unreadable
from simulator.signal.ratchet import OldCounter
from simulator.signal.session import SignalSession
from simulator.store import Device
from simulator.world import World

from . import content
from .attachments import Attachments
from .content import Content
from .directory import Directory, bundle_nodes, parse_bundle
from .mailbox import Mailboxes
from .store import ChatStore, Person, Sent
from .switches import Switches

log = logging.getLogger(__name__)

_MAX_RETRIES = 4
_READ_RECEIPTS = ("read", "played")
_SELF_RECEIPTS = ("read-self", "played-self")  # of accounts without read receipts


class Phones:
    """The phone (device 0) of each account."""

    def __init__(
        self,
        world: World,
        store: ChatStore,
        attachments: Attachments,
        directory: Directory,
        mailboxes: Mailboxes,
        switches: Switches,
    ) -> None:
        self._world = world
        self._switches = switches
        self._attachments = attachments
        self._store = store
        self._directory = directory
        self._mailboxes = mailboxes
        self._sessions: dict[tuple[str, str], SignalSession] = {}
        self.people = {person.number: person for person in store.people()}

    def save_person(self, person: Person) -> None:
        """Store how an account's phone behaves."""
        self.people[person.number] = person
        self._store.save_person(person)

    def forget_device(self, device: Device) -> None:
        """Delete all sessions with an unlinked companion."""
        peer = str(_peer(device))
        self._store.delete_sessions(peer)
        for key in [key for key in self._sessions if key[1] == peer]:
            del self._sessions[key]

    def clear(self) -> None:
        """Forget all people and sessions; they are deleted elsewhere."""
        self.people.clear()
        self._sessions.clear()

    def send(self, phone: Phone, to: Phone, message: Content) -> tuple[str, list[str]]:
        """Send a message; return its id and the companions that get a copy.

        A companion that has not uploaded any keys yet gets none, and simulated phones need no
        encryption among each other. Raises BadContent and PhoneOff.
        """
        self._switches.require_on(phone)
        message, uploaded = self._attachments.upload(message)
        quoted = self._quoted(phone, to, message)
        plain = content.encode(message, str(to.lid_jid(0)), quoted, uploaded)
        message_id = "3A" + os.urandom(9).hex().upper()
        sent = Sent(phone.number, to.number, message_id, json.dumps(message), plain)
        self._store.add_sent(sent)
        self._world.statistics.people_messages += 1
        devices = [device for device in self._directory.companions(to) if to is not phone]
        reached = [str(d.jid) for d in devices if self._send_copy(phone, d, sent, plain)]
        self._store.set_devices(sent, len(reached))
        own = content.encode_device_sent(str(to.lid_jid(0)), plain)
        for device in self._directory.companions(phone):
            if self._send_copy(phone, device, sent, own):
                reached.append(str(device.jid))
        if to is not phone:
            received = content.decode(plain)[1] if to.number in self.people else message
            self._pass_plain(phone, to, message_id, received)
        return message_id, reached

    def send_peer(self, phone: Phone, device: Device, plain: bytes) -> bool:
        """Send a companion of the own account a message that is for the companion itself.

        Return whether it has keys. Raises PhoneOff.
        """
        self._switches.require_on(phone)
        encrypted = self._encrypt(phone, device, plain)
        if encrypted is None:
            return False
        kind, data = encrypted
        attrs: dict[str, Attribute] = {"from": phone.lid_jid(0), "t": _now(), "type": "text"}
        attrs |= {"id": "3A" + os.urandom(9).hex().upper(), "category": "peer"}
        node = Node("message", attrs, [Node("enc", {"v": "2", "type": kind}, data)])
        self._mailboxes.of(device.jid).put(node)
        return True

    def _pass_plain(self, phone: Phone, to: Phone, message_id: str, message: Content) -> None:
        """Give another phone a message, at once or when it is on again."""
        attrs: dict[str, Attribute] = {"id": message_id, "from": phone.jid(0)}
        node = Node("message", attrs, [Node("plain", {}, json.dumps(message).encode())])
        if self._switches.is_off(to):
            self._switches.hold(to, node)
        else:
            self.receive_plain(to, node)

    def receive_plain(self, phone: Phone, node: Node) -> None:
        """Record a message of another phone."""
        plain, sender = node.child("plain"), node.attrs.get("from")
        if plain is not None and isinstance(sender, Jid):
            message = json.loads(plain.data())
            self._record(phone, sender.user, str(sender), node.get("id"), message)

    def receive(self, phone: Phone, sender: Device, node: Node, encrypted: Node) -> None:
        """Decrypt a copy that a companion has sent, record it, and confirm it."""
        message_id = node.get("id")
        session = self._session(phone, sender)
        try:
            plain = session.decrypt(encrypted.get("type"), encrypted.data())
            if session.remote != sender.identity:
                raise Unreadable("another device wrote it")
            message = content.decode(plain)[1]
        except OldCounter:
            self._store.add_repeat(phone.number, sender.phone.number, message_id)
            return
        except (Unreadable, wire.WireError) as error:
            self._world.statistics.messages_unreadable += 1
            log.warning("a phone cannot read a message: %s", error)
            self._ask_again(phone, sender, node, encrypted, session)
            return
        self._save(phone, sender, session)
        if sender.phone is phone:
            self._log(phone, message_id, str(sender.jid), message)
        else:
            self._attachments.check(message)
            self._record(phone, sender.phone.number, str(sender.jid), message_id, message)
        self._confirm(phone, sender, message_id)

    def resend(self, phone: Phone, device: Device, receipt: Node) -> None:
        """Encrypt a message again for a companion that could not read it."""
        retry = receipt.child("retry")
        sent = self._store.find_sent(phone.number, receipt.get("id"))
        if retry is None or sent is None:
            log.warning("a message that cannot be read again is not known")
            return
        session = self._session(phone, device)
        if bundle := parse_bundle(receipt):
            session.start(bundle)
        if device.phone is phone:
            recipient = self._world.phones[sent.recipient]
            plain = content.encode_device_sent(str(recipient.lid_jid(0)), sent.plain)
        else:
            plain = sent.plain
        self._send_copy(phone, device, sent, plain, retry)

    def note_receipt(self, phone: Phone, ids: list[str], kind: str) -> None:
        """Record what a companion has reported about messages of a phone."""
        if kind in _SELF_RECEIPTS or kind == "server-error":
            return
        column = {"read": "read_at", "played": "played_at"}.get(kind, "receipted_at")
        for message_id in ids:
            self._store.mark_sent(phone.number, message_id, column)

    def note_delivery(self, node: Node) -> None:
        """Record that a stanza was written to a connection."""
        self._note(node, "delivered_at")

    def note_drop(self, node: Node) -> None:
        """Record that a companion was unlinked before it has confirmed a stanza."""
        self._note(node, "dropped_at")

    def _note(self, node: Node, column: str) -> None:
        sender = node.attrs.get("from")
        if node.tag != "message" or not isinstance(sender, Jid) or sender.device:
            return
        if phone := self._directory.find(sender):
            self._store.mark_sent(phone.number, node.get("id"), column)

    def send_receipts(self, phone: Phone, to: Phone, ids: list[str], kind: str = "") -> None:
        """Report to all companions of an account about its messages, as delivered without a type.

        The own companions learn what was read or played on the phone. Raises PhoneOff.
        """
        self._switches.require_on(phone)
        attrs: dict[str, Attribute] = {"from": phone.lid_jid(0), "id": ids[0], "t": _now()}
        if kind:
            attrs["type"] = kind
            self.note_receipt(to, ids, kind)
        items = [Node("item", {"id": message_id}) for message_id in ids[1:]]
        lists = [Node("list", {}, items)] if items else None
        if kind not in _SELF_RECEIPTS:
            for device in self._directory.companions(to):
                self._mailboxes.of(device.jid).put(Node("receipt", attrs, lists))
        if kind in _READ_RECEIPTS + _SELF_RECEIPTS and to is not phone:
            own = attrs | {"recipient": to.lid_jid(0)}
            for device in self._directory.companions(phone):
                self._mailboxes.of(device.jid).put(Node("receipt", own, lists))

    def send_stanza(self, phone: Phone, to: Phone, node: Node) -> None:
        """Send a stanza as it is to the companions of an account, with an id and a time.

        Raises PhoneOff.
        """
        self._switches.require_on(phone)
        node.attrs.setdefault("id", "3A" + os.urandom(9).hex().upper())
        node.attrs.setdefault("t", _now())
        node.attrs.setdefault("from", phone.lid_jid(0))
        for device in self._directory.companions(to):
            self._mailboxes.of(device.jid).put(node)

    def send_typing(self, phone: Phone, to: Phone, on: bool) -> None:
        """Tell the companions of an account that the person types, or has stopped.

        Raises PhoneOff.
        """
        self._switches.require_on(phone)
        state = Node("composing" if on else "paused")
        node = Node("chatstate", {"from": phone.lid_jid(0)}, [state])
        for device in self._directory.companions(to):
            self._mailboxes.of(device.jid).put_if_online(node)

    def download(self, phone: Phone, message_id: str) -> bytes | None:
        """Return the media of a received message, or None if it has none. Raises Unreadable."""
        message = self._store.find_received(phone.number, message_id)
        if message is None or message["type"] not in content.MEDIA:
            return None
        return self._attachments.download(message)

    def _quoted(self, phone: Phone, to: Phone, message: Content) -> content.Quoted:
        """Return the message that another one answers, as far as the phone knows it."""
        context = message.get("context")
        if not isinstance(context, dict):
            return content.Quoted()
        message_id = str(context.get("id"))
        if sent := self._store.find_sent(phone.number, message_id):
            return content.Quoted(str(phone.lid_jid(0)), content.body(json.loads(sent.content)))
        received = self._store.find_received(phone.number, message_id)
        return content.Quoted(str(to.lid_jid(0)), content.body(received) if received else "")

    def _record(
        self, phone: Phone, number: str, sender: str, message_id: str, message: Content
    ) -> None:
        """Record a message in the list of a person; other phones only have a log."""
        is_first = phone.number not in self.people or self._store.add_received(
            phone.number, number, message_id, json.dumps(message)
        )
        if is_first:
            self._log(phone, message_id, sender, message)

    def _log(self, phone: Phone, message_id: str, sender: str, message: Content) -> None:
        text = content.body(message)
        received = ReceivedMessage(phone.number, message_id, sender, text, time.time())
        self._world.messages.append(received)

    def _confirm(self, phone: Phone, sender: Device, message_id: str) -> None:
        person = self.people.get(phone.number)
        if sender.phone is phone:
            attrs: dict[str, Attribute] = {"from": phone.lid_jid(0), "id": message_id, "t": _now()}
            attrs["type"] = "sender"
            self._mailboxes.of(sender.jid).put(Node("receipt", attrs))
        elif person and person.auto != "none":
            self.send_receipts(phone, sender.phone, [message_id])
            if person.auto == "read":
                self.send_receipts(phone, sender.phone, [message_id], "read")

    def _ask_again(
        self, phone: Phone, sender: Device, node: Node, encrypted: Node, session: SignalSession
    ) -> None:
        """Ask a companion to encrypt a message again; the second time with new keys for it."""
        count = int(encrypted.get("count") or 0) + 1
        if count > _MAX_RETRIES:
            return
        attrs: dict[str, Attribute] = {"from": phone.lid_jid(0), "id": node.get("id"), "t": _now()}
        retry: dict[str, Attribute] = {"count": str(count), "id": node.get("id"), "t": _now()}
        registration, *keys = bundle_nodes(self._world.identity(phone).bundle())
        children = [Node("retry", retry | {"v": "1"}), registration]
        if count > 1 or not session.exists:
            children.append(Node("keys", {}, keys))
        receipt = Node("receipt", attrs | {"type": "retry"}, children)
        self._mailboxes.of(sender.jid).put(receipt)

    def _send_copy(
        self, phone: Phone, device: Device, sent: Sent, plain: bytes, retry: Node | None = None
    ) -> bool:
        sealed = self._encrypt(phone, device, plain)
        if sealed is None:
            return False
        kind, data = sealed
        attrs = self._addresses(phone, device, self._world.phones[sent.recipient])
        stanza, part = content.stanza_attributes(json.loads(sent.content))
        attrs |= {"id": sent.id, "t": (retry.get("t") if retry else "") or _now(), **stanza}
        if phone.name:
            attrs["notify"] = phone.name
        encrypted: dict[str, Attribute] = {"v": "2", "type": kind, **part}
        if retry:
            encrypted["count"] = retry.get("count")
        self._mailboxes.of(device.jid).put(Node("message", attrs, [Node("enc", encrypted, data)]))
        return True

    def _encrypt(self, phone: Phone, device: Device, plain: bytes) -> tuple[str, bytes] | None:
        """Return a message encrypted for a companion, None if that has no keys yet."""
        session = self._session(phone, device)
        if not session.exists:
            bundle = self._world.take_bundle(device)
            if bundle is None:
                return None
            session.start(bundle)
        encrypted = session.encrypt(plain)
        self._save(phone, device, session)
        return encrypted

    def _addresses(self, phone: Phone, device: Device, recipient: Phone) -> dict[str, Attribute]:
        if device.phone is phone:
            attrs: dict[str, Attribute] = {"from": phone.lid_jid(0)}
            return attrs | {
                "recipient": recipient.lid_jid(0),
                "peer_recipient_pn": recipient.jid(0),
            }
        person = self.people.get(phone.number, Person(phone.number))
        by_lid, by_number = phone.lid_jid(0), phone.jid(0)
        attrs = {"from": by_lid if person.by_lid else by_number}
        if not person.hide_number:
            attrs |= {"sender_pn": by_number} if person.by_lid else {"sender_lid": by_lid}
        return attrs

    def _session(self, phone: Phone, device: Device) -> SignalSession:
        key = (phone.number, str(_peer(device)))
        if key not in self._sessions:
            stored = self._store.session(*key)
            self._sessions[key] = SignalSession(self._world.identity(phone), stored)
        return self._sessions[key]

    def _save(self, phone: Phone, device: Device, session: SignalSession) -> None:
        self._store.save_session(phone.number, str(_peer(device)), session.dump())


def _peer(device: Device) -> Jid:
    return device.phone.lid_jid(device.device)


def _now() -> str:
    return str(int(time.time()))
