"""What a phone needs of the Signal protocol: keys to begin a session with, and reading messages.

The phone never answers, so a companion's messages all are of the kind that begins a session
(`pkmsg`) and of one chain: each can be read by itself, with the phone's own keys and no state.
"""

from __future__ import annotations

import hashlib
import hmac
import random
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from . import wire
from .xeddsa import KeyPair

KEY_TYPE = b"\x05"
_VERSION = b"\x33"
_MAC_SIZE, _BLOCK = 8, 16
_SIGNED_ID = 1
_MAX_CHAIN = 2000


class Unreadable(ValueError):
    """The message is not one that this phone can read."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """What the server hands out so that someone can begin a session with a device."""

    registration: int
    identity: bytes
    signed_id: int
    signed: bytes
    signature: bytes
    key_id: int | None = None
    key: bytes = b""


def phone_bundle(keys: KeyPair, registration: int) -> Bundle:
    """A phone's keys, with a one-time key of its own; they follow from its seed."""
    signed = _prekey(keys, _SIGNED_ID)
    key_id = random.randrange(_SIGNED_ID + 1, 1 << 24)
    return Bundle(
        registration,
        keys.public,
        _SIGNED_ID,
        signed.public,
        keys.sign(KEY_TYPE + signed.public),
        key_id,
        _prekey(keys, key_id).public,
    )


def read(keys: KeyPair, sealed: bytes) -> tuple[bytes, bytes]:
    """Decrypt a `pkmsg` for the phone with these keys: the sender's identity and the plaintext.

    Raises Unreadable.
    """
    try:
        return _read(keys, sealed)
    except (wire.WireError, ValueError) as error:
        raise Unreadable(str(error)) from error


def _read(keys: KeyPair, sealed: bytes) -> tuple[bytes, bytes]:
    outer = wire.decode(_versioned(sealed))
    if outer.number(6) != _SIGNED_ID:
        raise Unreadable("not for this signed prekey")
    identity, base = _public(outer.data(3)), _public(outer.data(2))
    signed = _prekey(keys, _SIGNED_ID)
    secrets = [b"\xff" * 32, signed.agree(identity), keys.agree(base), signed.agree(base)]
    if key_id := outer.number(1):
        secrets.append(_prekey(keys, key_id).agree(base))
    root = _derive(b"".join(secrets), b"WhisperText", 64)[:32]
    message = outer.data(4)
    inner = wire.decode(_versioned(message[:-_MAC_SIZE]))
    ratchet = signed.agree(_public(inner.data(1)))
    chain = _derive(ratchet, b"WhisperRatchet", 64, root)[32:]
    if inner.number(2) > _MAX_CHAIN:
        raise Unreadable("too far along its chain")
    for _ in range(inner.number(2)):
        chain = hmac.digest(chain, b"\x02", hashlib.sha256)
    material = _derive(hmac.digest(chain, b"\x01", hashlib.sha256), b"WhisperMessageKeys", 80)
    proof = KEY_TYPE + identity + KEY_TYPE + keys.public + message[:-_MAC_SIZE]
    mac = hmac.digest(material[32:64], proof, hashlib.sha256)[:_MAC_SIZE]
    if not hmac.compare_digest(mac, message[-_MAC_SIZE:]):
        raise Unreadable("the MAC is wrong")
    return identity, _unpad(_decipher(material[:32], material[64:], inner.data(4)))


def _prekey(keys: KeyPair, key_id: int) -> KeyPair:
    return KeyPair(hmac.digest(keys.seed, b"prekey %d" % key_id, hashlib.sha256))


def _versioned(data: bytes) -> bytes:
    if data[:1] != _VERSION:
        raise Unreadable("an unknown version")
    return data[1:]


def _public(data: bytes) -> bytes:
    if len(data) != 33 or data[:1] != KEY_TYPE:
        raise Unreadable("not a public key")
    return data[1:]


def _derive(secret: bytes, info: bytes, size: int, salt: bytes | None = None) -> bytes:
    return HKDF(SHA256(), size, salt, info).derive(secret)


def _decipher(key: bytes, start: bytes, data: bytes) -> bytes:
    opened = Cipher(AES256(key), CBC(start)).decryptor()
    return _unpad(opened.update(data) + opened.finalize(), _BLOCK)


def _unpad(data: bytes, most: int = 255) -> bytes:
    """Both layers pad the same way: AES to a block, WhatsApp by a few bytes more."""
    size = data[-1] if data else 0
    if not 0 < size <= min(most, len(data)) or set(data[-size:]) != {size}:
        raise Unreadable("the padding is wrong")
    return data[:-size]
