"""The directory: which accounts exist, their devices, and the devices' key bundles."""

from __future__ import annotations

import base64
import hashlib
from collections import defaultdict

from simulator.jids import LID_SERVER, USER_SERVER, Jid
from simulator.nodes import Attribute, Node
from simulator.phone import Phone
from simulator.signal.identity import Bundle
from simulator.signal.primitives import KEY_TYPE
from simulator.store import Device
from simulator.world import World

_LEGACY_SERVER = "@c.us"


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


def parse_bundle(receipt: Node) -> Bundle | None:
    """Return the keys in a receipt that asks for a message again, or None if it has none."""
    keys = receipt.child("keys")
    signed, one_time = (keys.child("skey"), keys.child("key")) if keys else (None, None)
    if keys is None or signed is None or one_time is None:
        return None
    return Bundle(
        int.from_bytes(_data(receipt, "registration"), "big"),
        _data(keys, "identity"),
        int.from_bytes(_data(signed, "id"), "big"),
        _data(signed, "value"),
        _data(signed, "signature"),
        int.from_bytes(_data(one_time, "id"), "big"),
        _data(one_time, "value"),
    )


def bundle_nodes(bundle: Bundle) -> list[Node]:
    """Return a bundle as in the answer to a query for keys."""
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


def participant_hash(jids: list[Jid]) -> str:
    """Return the hash over the devices that a message must be encrypted for."""
    texts = sorted(f"{jid.user}.0:{jid.device}@{jid.server}" for jid in jids)
    digest = hashlib.sha256("".join(texts).encode()).digest()[:6]
    return "2:" + base64.b64encode(digest).decode().rstrip("=")


class Directory:
    """Answers which devices an account has, and remembers who asked."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._watchers: defaultdict[str, set[Jid]] = defaultdict(set)

    def clear(self) -> None:
        """Forget who asked."""
        self._watchers.clear()

    def find(self, jid: Attribute | None) -> Phone | None:
        """Return the account of an address by number or LID, or None."""
        if not isinstance(jid, Jid):
            return None
        if jid.server == USER_SERVER:
            return self._world.phones.get(jid.user)
        return self._world.phone_by_lid(jid.user) if jid.server == LID_SERVER else None

    def companions(self, phone: Phone) -> list[Device]:
        """Return an account's linked devices, in order of their numbers."""
        return sorted(self._world.devices_of(phone.number), key=lambda device: device.device)

    def device_jids(self, phone: Phone) -> list[Jid]:
        """Return the LIDs of all devices of an account, the phone first."""
        return [phone.lid_jid(0), *(phone.lid_jid(d.device) for d in self.companions(phone))]

    def watchers(self, phone: Phone) -> list[Device]:
        """Return the companions of others that have asked for the account's devices."""
        jids = self._watchers[phone.number]
        return [device for jid in jids if (device := self._world.devices.get(jid))]

    def answer_users(self, query: Node, asker: Device) -> list[Node]:
        """Return the answer to a usync query: the requested details of each user."""
        usync = query.child("usync")
        user_list = usync.child("list") if usync else None
        details = usync.child("query") if usync else None
        if usync is None or user_list is None or details is None:
            return []
        kinds = {child.tag for child in details.children()}
        users = []
        for user in user_list.children():
            jid = user.attrs.get("jid")
            if isinstance(jid, Jid):
                users.append(Node("user", {"jid": jid}, self._details(jid, kinds, asker)))
            elif contact := user.child("contact"):
                users.append(self._contact(contact.data()))
        attrs: dict[str, Attribute] = {name: usync.get(name) for name in ("sid", "mode", "context")}
        result = Node("result", {}, [Node(kind) for kind in sorted(kinds)])
        return [Node("usync", attrs, [result, Node("list", {}, users)])]

    def answer_keys(self, query: Node, without: bool = False) -> list[Node]:
        """Return the answer to a query for keys: a bundle for each known device, else an error.

        `without`: as if no device had any keys left.
        """
        keys = query.child("key")
        users = []
        for user in keys.children() if keys else []:
            jid = user.attrs.get("jid")
            if isinstance(jid, Jid):
                bundle = None if without else self._bundle(jid)
                content = bundle_nodes(bundle) if bundle else [_not_found_error()]
                users.append(Node("user", {"jid": jid}, content))
        return [Node("list", {}, users)]

    def _details(self, jid: Jid, kinds: set[str], asker: Device) -> list[Node]:
        phone = self.find(jid)
        if phone is None:
            return []
        content = []
        if "devices" in kinds:
            self._watchers[phone.number].add(asker.jid)
            numbers = [device.device for device in self.companions(phone)]
            entries = [Node("device", {"id": "0"})]
            entries += [Node("device", {"id": str(n), "key-index": str(n)}) for n in numbers]
            content.append(Node("devices", {}, [Node("device-list", {}, entries)]))
        if "lid" in kinds:
            content.append(Node("lid", {"val": phone.lid_jid(0)}))
        return content

    def _contact(self, asked: bytes) -> Node:
        """Return whether a number is on WhatsApp; both spellings find the account."""
        text = asked.decode("utf-8", "replace")
        number = text.removesuffix(_LEGACY_SERVER).removeprefix("+")
        phone = self._world.phone_by_spelling(number)
        if phone is None:
            attrs: dict[str, Attribute] = {"jid": Jid(number, USER_SERVER)} if number else {}
            return Node("user", attrs, [Node("contact", {"type": "out"}, asked)])
        attrs = {"jid": phone.lid_jid(0), "pn_jid": phone.jid(0)}
        return Node("user", attrs, [Node("contact", {"type": "in"}, asked)])

    def _bundle(self, jid: Jid) -> Bundle | None:
        phone = self.find(jid)
        if phone is None:
            return None
        if jid.device == 0:
            return self._world.identity(phone).bundle()
        device = self._world.devices.get(phone.jid(jid.device))
        return self._world.take_bundle(device) if device else None


def _not_found_error() -> Node:
    return Node("error", {"code": "404", "text": "item-not-found"})


def _data(node: Node, tag: str) -> bytes:
    child = node.child(tag)
    return child.data() if child else b""
