"""The phone's part of the Signal protocol: key bundles, and decryption of messages.

The phone never answers, so all messages of a companion are of the kind that starts a session
(`pkmsg`) and of one chain: each can be decrypted alone, with the phone's keys and without state.
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
    """The phone cannot decrypt the message."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """The public keys of a device that others need to start a session with it."""

    registration: int
    identity: bytes
    signed_id: int
    signed: bytes
    signature: bytes
    key_id: int | None = None
    key: bytes = b""


def phone_bundle(keys: KeyPair, registration: int) -> Bundle:
    """Return a phone's bundle with a random one-time key; all keys are derived from its seed."""
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


def decrypt_message(keys: KeyPair, sealed: bytes) -> tuple[bytes, bytes]:
    """Decrypt a `pkmsg` with a phone's keys; return the sender's identity and the plaintext.

    Raises Unreadable.
    """
    try:
        return _decrypt_message(keys, sealed)
    except (wire.WireError, ValueError) as error:
        raise Unreadable(str(error)) from error


def _decrypt_message(keys: KeyPair, sealed: bytes) -> tuple[bytes, bytes]:
    outer = wire.decode(_strip_version(sealed))
    if outer.number(6) != _SIGNED_ID:
        raise Unreadable("not for this signed prekey")
    identity, base = _public(outer.data(3)), _public(outer.data(2))
    signed = _prekey(keys, _SIGNED_ID)
    secrets = [b"\xff" * 32, signed.agree(identity), keys.agree(base), signed.agree(base)]
    if key_id := outer.number(1):
        secrets.append(_prekey(keys, key_id).agree(base))
    root = _derive(b"".join(secrets), b"WhisperText", 64)[:32]
    message = outer.data(4)
    inner = wire.decode(_strip_version(message[:-_MAC_SIZE]))
    ratchet = signed.agree(_public(inner.data(1)))
    chain = _derive(ratchet, b"WhisperRatchet", 64, root)[32:]
    if inner.number(2) > _MAX_CHAIN:
        raise Unreadable("too far along its chain")
    for _ in range(inner.number(2)):
        chain = hmac.digest(chain, b"\x02", hashlib.sha256)
    material = _derive(hmac.digest(chain, b"\x01", hashlib.sha256), b"WhisperMessageKeys", 80)
    authenticated = KEY_TYPE + identity + KEY_TYPE + keys.public + message[:-_MAC_SIZE]
    mac = hmac.digest(material[32:64], authenticated, hashlib.sha256)[:_MAC_SIZE]
    if not hmac.compare_digest(mac, message[-_MAC_SIZE:]):
        raise Unreadable("the MAC is wrong")
    return identity, _unpad(_decipher(material[:32], material[64:], inner.data(4)))


def _prekey(keys: KeyPair, key_id: int) -> KeyPair:
    return KeyPair(hmac.digest(keys.seed, b"prekey %d" % key_id, hashlib.sha256))


def _strip_version(data: bytes) -> bytes:
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
    decryptor = Cipher(AES256(key), CBC(start)).decryptor()
    return _unpad(decryptor.update(data) + decryptor.finalize(), _BLOCK)


def _unpad(data: bytes, maximum: int = 255) -> bytes:
    """Remove PKCS#7 padding, which both AES and WhatsApp add. Raises Unreadable."""
    size = data[-1] if data else 0
    if not 0 < size <= min(maximum, len(data)) or set(data[-size:]) != {size}:
        raise Unreadable("the padding is wrong")
    return data[:-size]
