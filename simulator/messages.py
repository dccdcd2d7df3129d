"""Messages to phones: device lists, key bundles and delivery."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

from . import wire
from .jids import LID_SERVER, USER_SERVER, Jid
from .nodes import Attribute, Node
from .phone import Phone, ReceivedMessage
from .signal_session import KEY_TYPE, Bundle, Unreadable, decrypt_message, phone_bundle
from .store import Device
from .world import World

log = logging.getLogger(__name__)


def parse_upload(query: Node) -> tuple[Bundle, bytes] | None:
    """Return a companion's bundle without a one-time key, and its one-time keys.

    Returns None when a part is missing or has a wrong size.
    """
    signed, keys = query.child("skey"), query.child("list")
    if signed is None or keys is None:
        return None
    registration, identity = _data(query, "registration"), _data(query, "identity")
    signed_id, public, signature = (_data(signed, tag) for tag in ("id", "value", "signature"))
    one_time = [(_data(key, "id"), _data(key, "value")) for key in keys.children()]
    sizes = [len(data) for data in (registration, identity, signed_id, public, signature)]
    if sizes != [4, 32, 3, 32, 64] or any((len(i), len(v)) != (3, 32) for i, v in one_time):
        return None
    numbers = int.from_bytes(registration, "big"), int.from_bytes(signed_id, "big")
    bundle = Bundle(numbers[0], identity, numbers[1], public, signature)
    return bundle, b"".join(key_id + key for key_id, key in one_time)


def device_list(world: World, query: Node) -> list[Node]:
    """Return the answer to a usync query: the requested details of each known user."""
    usync = query.child("usync")
    user_list = usync.child("list") if usync else None
    details = usync.child("query") if usync else None
    if usync is None or user_list is None or details is None:
        return []
    kinds = {child.tag for child in details.children()}
    users = []
    for user in user_list.children():
        jid = user.attrs.get("jid")
        phone = _phone(world, jid)
        content = _user_details(world, phone, kinds) if phone else []
        if isinstance(jid, Jid):
            users.append(Node("user", {"jid": jid}, content))
    attrs: dict[str, Attribute] = {name: usync.get(name) for name in ("sid", "mode", "context")}
    result = Node("result", {}, [Node(kind) for kind in sorted(kinds)])
    return [Node("usync", attrs, [result, Node("list", {}, users)])]


def key_bundles(world: World, query: Node) -> list[Node]:
    """Return the answer to a query for keys: a bundle for each known device, else an error."""
    keys = query.child("key")
    users = []
    for user in keys.children() if keys else []:
        jid = user.attrs.get("jid")
        if isinstance(jid, Jid):
            bundle = _bundle(world, jid)
            content = _bundle_nodes(bundle) if bundle else [_not_found_error()]
            users.append(Node("user", {"jid": jid}, content))
    return [Node("list", {}, users)]


def deliver(world: World, sender: Device, node: Node) -> None:
    """Deliver a message's parts for phones; parts for companions are dropped.

    Each phone gets a message once: whatsmeow lists the devices of both ends of a chat, so the
    chat with oneself has two parts for each device.
    """
    unique = {(message.number, message.id): message for message in _read(world, sender, node)}
    world.messages.extend(unique.values())


def _read(world: World, sender: Device, node: Node) -> Iterator[ReceivedMessage]:
    participants = node.child("participants")
    for to in participants.children() if participants else []:
        jid, part = to.attrs.get("jid"), to.child("enc")
        phone = _phone(world, jid)
        if phone is None or part is None or not isinstance(jid, Jid) or jid.device:
            continue
        try:
            identity, plain = decrypt_message(phone.keys, part.data())
            if identity != sender.identity:
                raise Unreadable("another device wrote it")
            text = _text(wire.decode(plain))
        except (Unreadable, wire.WireError) as error:
            world.statistics.messages_unreadable += 1
            log.warning("a phone cannot read a message: %s", error)
            continue
        yield ReceivedMessage(phone.number, node.get("id"), str(sender.jid), text, time.time())


def _phone(world: World, jid: Attribute | None) -> Phone | None:
    if not isinstance(jid, Jid):
        return None
    if jid.server == USER_SERVER:
        return world.phones.get(jid.user)
    if jid.server == LID_SERVER:
        return next((phone for phone in world.phones.values() if phone.lid == jid.user), None)
    return None


def _user_details(world: World, phone: Phone, kinds: set[str]) -> list[Node]:
    content = []
    if "devices" in kinds:
        companions = sorted(device.device for device in world.devices_of(phone.number))
        entries = [Node("device", {"id": "0"})]
        entries += [
            Node("device", {"id": str(number), "key-index": str(number)}) for number in companions
        ]
        content.append(Node("devices", {}, [Node("device-list", {}, entries)]))
    if "lid" in kinds:
        content.append(Node("lid", {"val": phone.lid_jid(0)}))
    return content


def _bundle(world: World, jid: Jid) -> Bundle | None:
    phone = _phone(world, jid)
    if phone is None:
        return None
    if jid.device == 0:
        return phone_bundle(phone.keys, phone.raw_id)
    device = world.devices.get(phone.jid(jid.device))
    return world.take_bundle(device) if device else None


def _bundle_nodes(bundle: Bundle) -> list[Node]:
    signed = [
        Node("id", {}, bundle.signed_id.to_bytes(3, "big")),
        Node("value", {}, bundle.signed),
        Node("signature", {}, bundle.signature),
    ]
    content = [
        Node("registration", {}, bundle.registration.to_bytes(4, "big")),
        Node("type", {}, KEY_TYPE),
        Node("identity", {}, bundle.identity),
        Node("skey", {}, signed),
    ]
    if bundle.key_id is not None:
        key_id = Node("id", {}, bundle.key_id.to_bytes(3, "big"))
        content.append(Node("key", {}, [key_id, Node("value", {}, bundle.key)]))
    return content


def _not_found_error() -> Node:
    return Node("error", {"code": "404", "text": "item-not-found"})


def _text(message: wire.Message) -> str:
    """Return the text of a message, also of one wrapped as sent by an own device."""
    if sent := message.message(31):
        message = sent.message(2)
    text = message.data(1) or message.message(6).data(1)
    return text.decode("utf-8", "replace")


def _data(node: Node, tag: str) -> bytes:
    child = node.child(tag)
    return child.data() if child else b""
