"""The simulator's state: phones, linked devices, live connections, references, faults."""

from __future__ import annotations

import itertools
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from .counters import LoginCount, Statistics
from .faults import Faults
from .jids import Jid
from .phone import MAX_DEVICE, Phone, ReceivedMessage, new_phone
from .roles import ClientConnection, PairingRole
from .signal.identity import Bundle, Identity
from .spelling import canonical
from .store import Device, Store

_MAX_EXPIRED_REFS = 50_000
_MESSAGES = 1000
_KEY_ID, _KEY = 3, 35
_FEW_PREKEYS = 5


DeviceHook = Callable[[Device], None]


class DeviceLimitReached(Exception):
    """The phone has no device number left."""


@dataclass(slots=True)
class Settings:
    """Settings that can change at run time.

    `refs`: QR references per pairing. `history`: phones send theirs to a companion that they link.
    """

    refs: int = 6
    history: bool = False


class World:
    """The simulator's state; all methods must be called on the event loop.

    The hooks are called after a device was linked or unlinked, and when it has few prekeys left.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.settings = Settings(int(store.setting("refs") or 6), store.setting("history") == "1")
        self.statistics = Statistics()
        self.faults = Faults()
        self.phones = {phone.number: phone for phone in store.phones()}
        self.devices = {device.jid: device for device in store.devices(self.phones)}
        self.connections: dict[str, ClientConnection] = {}
        self.online: dict[Jid, ClientConnection] = {}
        self.pairings: dict[str, PairingRole] = {}
        self.messages: deque[ReceivedMessage] = deque(maxlen=_MESSAGES)
        self.login_counts: defaultdict[str, LoginCount] = defaultdict(LoginCount)
        self.on_link: DeviceHook = _ignore
        self.on_unlink: DeviceHook = _ignore
        self.on_few_prekeys: DeviceHook = _ignore
        self._numbers: dict[str, str] = {}
        self._by_number: defaultdict[str, dict[int, Device]] = defaultdict(dict)
        self._identities: dict[str, Identity] = {}
        self._expired_refs: OrderedDict[str, None] = OrderedDict()
        self._ids = itertools.count(1)
        for phone in self.phones.values():
            self._index(phone)
        for device in self.devices.values():
            self._by_number[device.phone.number][device.device] = device

    def new_id(self) -> str:
        """Return a new id for a connection."""
        return f"c{next(self._ids)}"

    def phone(self, number: str | None, name: str = "", platform: str = "") -> Phone:
        """Return the phone with a number, created if missing; update name and platform if given."""
        phone = self.phones.get(number) if number else None
        is_new = phone is None
        while phone is None:
            candidate = new_phone(number)
            phone = candidate if candidate.number not in self.phones else None
        profile = (name or phone.name, platform or phone.platform)
        if is_new or profile != (phone.name, phone.platform):
            phone.name, phone.platform = profile
            self.phones[phone.number] = phone
            self._index(phone)
            self.store.save_phone(phone)
        return phone

    def phone_by_lid(self, lid: str) -> Phone | None:
        """Return the phone with a LID, or None."""
        return self.phones.get(self._numbers.get(f"{lid}@lid", ""))

    def phone_by_spelling(self, number: str) -> Phone | None:
        """Return the phone with a number, or with the number's other spelling, or None."""
        return self.phones.get(number) or self.phones.get(self._numbers.get(canonical(number), ""))

    def identity(self, phone: Phone) -> Identity:
        """Return a phone's Signal keys."""
        if phone.number not in self._identities:
            self._identities[phone.number] = Identity(phone.keys, phone.raw_id)
        return self._identities[phone.number]

    def new_device_number(self, phone: Phone) -> int:
        """Return a number (1 to 255) for the next companion. Raises DeviceLimitReached."""
        taken = {device.device for device in self.devices_of(phone.number)}
        following = (phone.last_device + step for step in range(MAX_DEVICE))
        free = (n % MAX_DEVICE + 1 for n in following if n % MAX_DEVICE + 1 not in taken)
        number = next(free, 0)
        if not number:
            raise DeviceLimitReached("the phone has no device number left")
        phone.last_device = number
        self.store.save_phone(phone)
        return number

    def devices_of(self, number: str) -> list[Device]:
        """Return the companions of a phone."""
        return list(self._by_number[number].values()) if number in self._by_number else []

    def link(self, device: Device) -> None:
        """Store a companion as linked."""
        if device.phone.number not in self.phones:
            # A reset removed the phone between the scan and the companion's answer.
            self.phones[device.phone.number] = device.phone
            self._index(device.phone)
            self.store.save_phone(device.phone)
        self.devices[device.jid] = device
        self._by_number[device.phone.number][device.device] = device
        self.store.save_device(device)
        self.on_link(device)

    def upload(self, device: Device, bundle: Bundle, keys: bytes) -> None:
        """Store a companion's bundle, and add `keys` to its remaining one-time keys."""
        stored = self.store.bundle(device)
        self.store.save_bundle(device, bundle, (stored[1] if stored else b"") + keys)

    def take_bundle(self, device: Device) -> Bundle | None:
        """Return a companion's bundle, with a one-time key that is removed, if any is left."""
        stored = self.store.bundle(device)
        if stored is None:
            return None
        bundle, keys = stored
        if not keys:
            return bundle
        self.store.save_bundle(device, bundle, keys[_KEY:])
        device.prekeys = max(0, device.prekeys - 1)
        self.store.save_device(device)
        if device.prekeys == _FEW_PREKEYS - 1:
            self.on_few_prekeys(device)
        key_id = int.from_bytes(keys[:_KEY_ID], "big")
        return replace(bundle, key_id=key_id, key=keys[_KEY_ID:_KEY])

    def remove_device(self, device: Device) -> None:
        """Delete a companion, so that its next login fails."""
        self.devices.pop(device.jid, None)
        self._by_number[device.phone.number].pop(device.device, None)
        self.store.delete_device(device)
        self.on_unlink(device)

    def delete_all(self) -> None:
        """Delete all companions and phones."""
        self.devices.clear()
        self.login_counts.clear()
        self.messages.clear()
        self.phones.clear()
        self._numbers.clear()
        self._by_number.clear()
        self._identities.clear()
        self.store.delete_all()

    def set_refs(self, refs: int) -> None:
        """Set how many QR references a pairing gets from now on."""
        self.settings.refs = refs
        self.store.save_setting("refs", str(refs))

    def set_history(self, on: bool) -> None:
        """Set whether phones send their history to companions that they link from now on."""
        self.settings.history = on
        self.store.save_setting("history", str(int(on)))

    def add_ref(self, ref: str, pairing: PairingRole) -> None:
        """Add a reference that phones can scan."""
        self.pairings[ref] = pairing
        self.statistics.qr_refs_issued += 1

    def expire_refs(self, refs: list[str]) -> None:
        """Mark references as expired."""
        for ref in refs:
            self.pairings.pop(ref, None)
            self._expired_refs[ref] = None
        while len(self._expired_refs) > _MAX_EXPIRED_REFS:
            self._expired_refs.popitem(last=False)

    def is_expired(self, ref: str) -> bool:
        """Return whether a reference is known and expired."""
        return ref in self._expired_refs

    def _index(self, phone: Phone) -> None:
        self._numbers[f"{phone.lid}@lid"] = phone.number
        self._numbers.setdefault(canonical(phone.number), phone.number)


def _ignore(_device: Device) -> None:
    """Do nothing, until somebody asks for the event."""
