"""The server's part: it takes a companion's stanzas and passes them on to devices."""

from __future__ import annotations

import asyncio
import time

from simulator.jids import SERVER, Jid
from simulator.nodes import Attribute, Node
from simulator.phone import Phone
from simulator.roles import ClientConnection
from simulator.store import Device
from simulator.world import World

from .delivery import corrupted
from .directory import Directory, participant_hash
from .mailbox import Mailboxes, key
from .phones import Phones
from .switches import Switches

_OWN_RECEIPTS = ("sender", "peer_msg", "hist_sync", "read-self", "played-self")
_READ_RECEIPTS = ("read", "played")


class Router:
    """Passes messages, receipts and typing on to phones and companions."""

    def __init__(
        self,
        world: World,
        directory: Directory,
        mailboxes: Mailboxes,
        phones: Phones,
        switches: Switches,
    ) -> None:
        self._world = world
        self._directory = directory
        self._mailboxes = mailboxes
        self._phones = phones
        self._switches = switches
        self._awaited_acks: set[tuple[Jid, str]] = set()
        self.typing: dict[str, dict[str, str | bool]] = {}

    def take(self, device: Device, node: Node, connection: ClientConnection) -> None:
        """Handle a companion's stanza that is not a query."""
        if node.tag == "message":
            self._take_message(device, node, connection)
        elif node.tag == "receipt":
            self._take_receipt(device, node, connection)
        elif node.tag == "ack":
            self._take_ack(device, node)
        elif node.tag == "chatstate":
            self._take_typing(device, node)

    def clear(self) -> None:
        """Forget all companions."""
        self._awaited_acks.clear()
        self.typing.clear()

    def forget_device(self, device: Device) -> None:
        """Forget an unlinked companion."""
        self._awaited_acks = {item for item in self._awaited_acks if item[0] != device.jid}

    def _take_message(self, device: Device, node: Node, connection: ClientConnection) -> None:
        self._world.statistics.messages += 1
        faults, ack = self._world.faults, _ack(node)
        if fault := faults.take("nack", connection):
            connection.send(Node("ack", ack | {"error": str(fault.integer("error"))}))
            return
        if fault := faults.take("cut_before_ack", connection):
            connection.abort()
            if fault.integer("delivered"):
                self._deliver_copies(device, node)
            return
        recipient = self._directory.find(node.attrs.get("to"))
        if recipient is not None and node.child("participants"):
            jids = self._directory.device_jids(recipient)
            ack["phash"] = participant_hash(jids + self._directory.device_jids(device.phone))
        if fault := faults.take("ack_late", connection):
            seconds = fault.integer("ms") / 1000
            asyncio.get_running_loop().call_later(seconds, connection.send, Node("ack", ack))
        elif not faults.take("ack_lost", connection):
            connection.send(Node("ack", ack))
        if faults.take("unreadable_sent", connection):
            node = _corrupted_copies(node)
        self._deliver_copies(device, node)

    def _deliver_copies(self, device: Device, node: Node) -> None:
        recipient = self._directory.find(node.attrs.get("to"))
        for jid, encrypted in _copies(node):
            self._deliver(device, node, jid, encrypted, recipient)

    def _deliver(
        self, sender: Device, node: Node, jid: Jid, encrypted: Node, recipient: Phone | None
    ) -> None:
        phone = self._directory.find(jid)
        if phone is None:
            return
        if jid.device == 0:
            self._pass_to_phone(sender, node, phone, encrypted)
            return
        device = self._world.devices.get(phone.jid(jid.device))
        if device is None or device is sender:
            return
        attrs = _addresses(sender, phone, recipient)
        attrs |= {"id": node.get("id"), "type": node.get("type"), "t": _now()}
        attrs |= {name: node.attrs[name] for name in ("edit", "category") if name in node.attrs}
        if sender.phone.name:
            attrs["notify"] = sender.phone.name
        identity = node.child("device-identity")
        self._mailboxes.of(device.jid).put(
            Node("message", attrs, [encrypted, *([identity] if identity else [])])
        )

    def _pass_to_phone(
        self, sender: Device, node: Node, phone: Phone, encrypted: Node | None = None
    ) -> None:
        """Pass a copy of a message, or a receipt that asks for one again, on to a phone."""
        if self._switches.is_off(phone):
            attrs: dict[str, Attribute] = {"id": node.get("id"), "from": sender.jid}
            held = [encrypted] if encrypted else node.children()
            self._switches.hold(phone, Node(node.tag, attrs, held))
        elif encrypted:
            self._phones.receive(phone, sender, node, encrypted)
        else:
            self._phones.resend(phone, sender, node)

    def pass_held(self, phone: Phone, node: Node) -> None:
        """Pass on to a phone what has waited for it."""
        sender = node.attrs.get("from")
        device = self._world.devices.get(sender) if isinstance(sender, Jid) else None
        if node.child("plain"):
            self._phones.receive_plain(phone, node)
        elif device is not None:  # Else the companion was unlinked meanwhile.
            self._pass_to_phone(device, node, phone, node.child("enc"))

    def _take_receipt(self, device: Device, node: Node, connection: ClientConnection) -> None:
        kind, to = node.get("type"), node.attrs.get("to", SERVER)
        ids = [node.get("id"), *(item.get("id") for item in _items(node))]
        attrs = _ack(node)
        if kind:
            attrs["type"] = kind
        connection.send(Node("ack", attrs))
        if self._world.faults.take("receipts_ignored", connection):
            return
        message = key("message", ids[0], str(to))
        confirmed = self._mailboxes.of(device.jid).confirm(message)
        phone = self._directory.find(to)
        if phone is None or not isinstance(to, Jid):
            return
        if kind == "retry":
            if confirmed:
                # The client acknowledges the unreadable copy as well, maybe after the next one.
                self._awaited_acks.add((device.jid, message))
            self._take_retry(device, node, phone, to)
            return
        if phone is device.phone or kind in _OWN_RECEIPTS:
            return
        self._phones.note_receipt(phone, ids, kind)
        self._pass_receipt(device, node, phone)

    def _take_retry(self, device: Device, node: Node, phone: Phone, to: Jid) -> None:
        if to.device == 0:
            self._pass_to_phone(device, node, phone)
        elif target := self._world.devices.get(phone.jid(to.device)):
            self._mailboxes.of(target.jid).put(_receipt(device, node, target.phone is device.phone))

    def _pass_receipt(self, device: Device, node: Node, phone: Phone) -> None:
        """Pass a receipt on to the sender's companions, and a read one to the own others."""
        for target in self._directory.companions(phone):
            self._mailboxes.of(target.jid).put(_receipt(device, node, False))
        if node.get("type") in _READ_RECEIPTS:
            for target in self._directory.companions(device.phone):
                if target is not device:
                    receipt = _receipt(device, node, False)
                    receipt.attrs["recipient"] = phone.lid_jid(0)
                    self._mailboxes.of(target.jid).put(receipt)

    def _take_ack(self, device: Device, node: Node) -> None:
        kind = node.get("type") if node.get("class") == "receipt" else ""
        stanza = key(node.get("class"), node.get("id"), node.get("to"), kind)
        if (device.jid, stanza) in self._awaited_acks:
            self._awaited_acks.discard((device.jid, stanza))
        else:
            self._mailboxes.of(device.jid).confirm(stanza)

    def _take_typing(self, device: Device, node: Node) -> None:
        phone = self._directory.find(node.attrs.get("to"))
        if phone is None or phone is device.phone:
            return
        children = node.children()
        is_on = bool(children and children[0].tag == "composing")
        self.typing[phone.number] = {"from": device.phone.number, "on": is_on}
        state = Node("chatstate", {"from": device.phone.lid_jid(device.device)}, children)
        for target in self._directory.companions(phone):
            self._mailboxes.of(target.jid).put_if_online(state)


def _copies(node: Node) -> list[tuple[Jid, Node]]:
    """Return the encrypted copies of a message by device; a second copy for one is left out.

    whatsmeow lists the devices of both ends of a chat, so the chat with oneself has two each.
    """
    copies: dict[Jid, Node] = {}
    participants = node.child("participants")
    for holder in participants.children() if participants else [node]:
        jid = holder.attrs.get("jid" if participants else "to")
        encrypted = holder.child("enc")
        if isinstance(jid, Jid) and encrypted is not None:
            copies[jid] = encrypted
    return list(copies.items())


def _corrupted_copies(node: Node) -> Node:
    """Return a message whose copies cannot be decrypted."""
    participants = node.child("participants")
    if participants is None:
        return corrupted(node)
    copies = Node("participants", {}, [corrupted(to) for to in participants.children()])
    others = [child for child in node.children() if child is not participants]
    return Node(node.tag, node.attrs, [copies, *others])


def _addresses(sender: Device, phone: Phone, recipient: Phone | None) -> dict[str, Attribute]:
    attrs: dict[str, Attribute] = {"from": sender.phone.lid_jid(sender.device)}
    if phone is not sender.phone:
        return attrs | {"sender_pn": sender.phone.jid(0)}
    if recipient is None:
        return attrs
    return attrs | {"recipient": recipient.lid_jid(0), "peer_recipient_pn": recipient.jid(0)}


def _receipt(device: Device, node: Node, own: bool) -> Node:
    """Return a receipt as it is passed on: from the device that wrote it."""
    attrs: dict[str, Attribute] = {"from": device.phone.lid_jid(device.device)}
    attrs |= {"id": node.get("id"), "t": node.get("t") or _now()}
    names = ("type", "recipient", "category") if own else ("type",)
    attrs |= {name: node.attrs[name] for name in names if name in node.attrs}
    return Node("receipt", attrs, node.children() or None)


def _items(node: Node) -> list[Node]:
    items = node.child("list")
    return items.children() if items else []


def _ack(node: Node) -> dict[str, Attribute]:
    attrs: dict[str, Attribute] = {"class": node.tag, "id": node.get("id")}
    return attrs | {"from": node.attrs.get("to", SERVER), "t": _now()}


def _now() -> str:
    return str(int(time.time()))
