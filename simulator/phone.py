"""A simulated phone: an account with keys that links companions."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import random
import time
from dataclasses import dataclass, field

from . import wire
from .jids import LID_SERVER, USER_SERVER, Jid
from .xeddsa import KeyPair, verify

_QR_PREFIX = "https://wa.me/settings/linked_devices#"
_ACCOUNT_PREFIX, _DEVICE_PREFIX = b"\x06\x00", b"\x06\x01"
MAX_DEVICE = 255


class BadCode(ValueError):
    """The text is not a QR code of WhatsApp's linked devices."""


@dataclass(frozen=True, slots=True)
class Code:
    """The content of a QR code: the server's reference and the companion's keys."""

    ref: str
    noise_key: bytes
    identity: bytes
    adv_secret: bytes


@dataclass(slots=True)
class Phone:
    """An account: number (digits), LID (hidden identity), keys, and shown name and platform."""

    number: str
    lid: str
    keys: KeyPair
    name: str = ""
    platform: str = "android"
    raw_id: int = field(default_factory=lambda: random.getrandbits(31))
    last_device: int = 0

    def jid(self, device: int) -> Jid:
        """Return the address of one of its devices."""
        return Jid(self.number, USER_SERVER, device)

    def lid_jid(self, device: int) -> Jid:
        """Return the hidden address (LID) of one of its devices."""
        return Jid(self.lid, LID_SERVER, device)

    def sign_companion(self, code: Code, device: int, corruption: str = "") -> tuple[bytes, bytes]:
        """Sign a companion's identity.

        Returns the device-identity message for it and the details that it must sign. `corruption`
        is "bad_hmac" or "bad_signature" to make that part invalid.
        """
        details = wire.encode(
            {1: self.raw_id, 2: int(time.time()), 3: device, 4: 0, 5: 0},
        )
        signature = self.keys.sign(_ACCOUNT_PREFIX + details + code.identity)
        if corruption == "bad_signature":
            signature = signature[:10] + bytes([signature[10] ^ 1]) + signature[11:]
        signed = wire.encode({1: details, 2: self.keys.public, 3: signature})
        digest = hmac.digest(code.adv_secret, signed, hashlib.sha256)
        if corruption == "bad_hmac":
            digest = digest[::-1]
        return wire.encode({1: signed, 2: digest, 3: 0}), details

    def verify_companion(self, answer: bytes, details: bytes, identity: bytes) -> bool:
        """Return whether a companion's answer (a device-identity message) is signed correctly."""
        try:
            message = wire.decode(answer)
            returned, signature = message.data(1), message.data(4)
        except wire.WireError:
            return False
        signed = _DEVICE_PREFIX + details + identity + self.keys.public
        return returned == details and verify(identity, signed, signature)


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """A message that a phone has received and decrypted."""

    number: str
    id: str
    sender: str
    text: str
    at: float


def new_phone(number: str | None = None) -> Phone:
    """Return a phone with new keys; without a number it gets a random Brazilian mobile number."""
    number = number or f"55119{random.randrange(10**8):08d}"
    return Phone(number, str(random.randrange(10**14, 10**15)), KeyPair())


def read_code(text: str) -> Code:
    """Parse the text of a QR code, with or without its URL. Raises BadCode."""
    parts = text.strip().removeprefix(_QR_PREFIX).split(",")
    if len(parts) < 4 or not parts[0]:
        raise BadCode("not a linking code")
    try:
        keys = [base64.b64decode(part, validate=True) for part in parts[1:4]]
    except binascii.Error as error:
        raise BadCode("not a linking code") from error
    if any(len(key) != 32 for key in keys):
        raise BadCode("not a linking code")
    return Code(parts[0], *keys)
