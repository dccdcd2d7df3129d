"""Everything the stand-in knows: phones, linked devices, live connections, references, faults."""

from __future__ import annotations

import itertools
from collections import OrderedDict, defaultdict, deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .counters import LoginCount, Statistics
from .faults import Faults
from .jids import Jid
from .phone import MAX_DEVICE, Phone, new_phone
from .signal_session import Bundle
from .store import Device, Store

if TYPE_CHECKING:
    from .connection import Connection
    from .messages import Message
    from .pairing import Pairing

_OLD_REFS = 50_000
_MESSAGES = 1000
_KEY_ID, _KEY = 3, 35


class NoRoom(Exception):
    """The phone has no device number left."""


@dataclass(slots=True)
class Settings:
    """What can be changed while running: how many QR references a pairing gets."""

    refs: int = 6


class World:
    """The state of the stand-in; every method is called on the event loop."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.settings = Settings(int(store.setting("refs") or 6))
        self.statistics = Statistics()
        self.faults = Faults()
        self.phones = {phone.number: phone for phone in store.phones()}
        self.devices = {device.jid: device for device in store.devices(self.phones)}
        self.connections: dict[str, Connection] = {}
        self.online: dict[Jid, Connection] = {}
        self.pairings: dict[str, Pairing] = {}
        self.messages: deque[Message] = deque(maxlen=_MESSAGES)
        self.login_counts: defaultdict[str, LoginCount] = defaultdict(LoginCount)
        self._old_refs: OrderedDict[str, None] = OrderedDict()
        self._ids = itertools.count(1)

    def new_id(self) -> str:
        """The id of the next connection."""
        return f"c{next(self._ids)}"

    def phone(self, number: str | None, name: str = "", platform: str = "") -> Phone:
        """The phone with a number, made when there is none; name and platform are set if given."""
        phone = self.phones.get(number) if number else None
        is_new = phone is None
        while phone is None:
            made = new_phone(number)
            phone = made if made.number not in self.phones else None
        changed = (name or phone.name, platform or phone.platform)
        if is_new or changed != (phone.name, phone.platform):
            phone.name, phone.platform = changed
            self.phones[phone.number] = phone
            self.store.save_phone(phone)
        return phone

    def new_device_number(self, phone: Phone) -> int:
        """The number for the phone's next companion, 1 to 255; NoRoom when all are taken."""
        taken = {device.device for device in self.devices_of(phone.number)}
        following = (phone.last_device + step for step in range(MAX_DEVICE))
        free = (n % MAX_DEVICE + 1 for n in following if n % MAX_DEVICE + 1 not in taken)
        number = next(free, 0)
        if not number:
            raise NoRoom("the phone has no device number left")
        phone.last_device = number
        self.store.save_phone(phone)
        return number

    def devices_of(self, number: str) -> list[Device]:
        """The companions of a phone."""
        return [device for device in self.devices.values() if device.phone.number == number]

    def link(self, device: Device) -> None:
        """Remember a companion."""
        if device.phone.number not in self.phones:
            # A reset came between the scan and the companion's answer.
            self.phones[device.phone.number] = device.phone
            self.store.save_phone(device.phone)
        self.devices[device.jid] = device
        self.store.save_device(device)

    def upload(self, device: Device, bundle: Bundle, keys: bytes) -> None:
        """Keep what a companion uploads; `keys` are added to the one-time keys it has left."""
        known = self.store.bundle(device)
        self.store.save_bundle(device, bundle, (known[1] if known else b"") + keys)

    def take_bundle(self, device: Device) -> Bundle | None:
        """A companion's bundle, with one of its one-time keys if any is left, given out once."""
        known = self.store.bundle(device)
        if known is None:
            return None
        bundle, keys = known
        if not keys:
            return bundle
        self.store.save_bundle(device, bundle, keys[_KEY:])
        device.prekeys = max(0, device.prekeys - 1)
        self.store.save_device(device)
        key_id = int.from_bytes(keys[:_KEY_ID], "big")
        return replace(bundle, key_id=key_id, key=keys[_KEY_ID:_KEY])

    def forget(self, device: Device) -> None:
        """Forget a companion: its next login fails."""
        self.devices.pop(device.jid, None)
        self.store.forget_device(device)

    def forget_all(self) -> None:
        """Forget every companion and phone."""
        self.devices.clear()
        self.login_counts.clear()
        self.messages.clear()
        self.phones.clear()
        self.store.forget_all()

    def set_refs(self, refs: int) -> None:
        """Set how many QR references a pairing gets from now on."""
        self.settings.refs = refs
        self.store.save_setting("refs", str(refs))

    def offer(self, ref: str, pairing: Pairing) -> None:
        """Make a reference known to phones."""
        self.pairings[ref] = pairing
        self.statistics.qr_refs_issued += 1

    def withdraw(self, refs: list[str]) -> None:
        """Make references expired."""
        for ref in refs:
            self.pairings.pop(ref, None)
            self._old_refs[ref] = None
        while len(self._old_refs) > _OLD_REFS:
            self._old_refs.popitem(last=False)

    def was_offered(self, ref: str) -> bool:
        """Whether a reference is known but expired."""
        return ref in self._old_refs
