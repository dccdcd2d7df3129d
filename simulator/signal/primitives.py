"""Key agreement, key derivation, encryption and padding of the Signal protocol."""

from __future__ import annotations

import functools
import hashlib
import hmac
import os
import random

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.padding import PKCS7

KEY_TYPE = b"\x05"
MAC_SIZE = 8
_MAX_PADDING = 15


class Unreadable(ValueError):
    """The message cannot be decrypted."""


def new_private_key() -> bytes:
    """Return a new X25519 private key."""
    return os.urandom(32)


def public_key(private: bytes) -> bytes:
    """Return the public key of an X25519 private key."""
    return _load(private).public_key().public_bytes_raw()


def agree(private: bytes, public: bytes) -> bytes:
    """Return the shared secret of two X25519 keys. Raises ValueError for an unusable one."""
    return _load(private).exchange(X25519PublicKey.from_public_bytes(public))


@functools.lru_cache(4096)
def _load(private: bytes) -> X25519PrivateKey:
    """Return the key of its bytes; this computes the public key, so it costs as much as `agree`."""
    return X25519PrivateKey.from_private_bytes(private)


def with_type(public: bytes) -> bytes:
    """Return a public key as it is written in messages."""
    return KEY_TYPE + public


def without_type(data: bytes) -> bytes:
    """Return the public key that a message contains. Raises Unreadable."""
    if len(data) != 33 or data[:1] != KEY_TYPE:
        raise Unreadable("not a public key")
    return data[1:]


def derive(secret: bytes, info: bytes, size: int, salt: bytes | None = None) -> bytes:
    """Return `size` bytes of HKDF-SHA256."""
    return HKDF(SHA256(), size, salt, info).derive(secret)


def digest(key: bytes, data: bytes) -> bytes:
    """Return an HMAC-SHA256."""
    return hmac.digest(key, data, hashlib.sha256)


def encrypt_cbc(key: bytes, start: bytes, data: bytes) -> bytes:
    """Encrypt with AES-256-CBC and PKCS#7."""
    padder, encryptor = PKCS7(128).padder(), Cipher(AES256(key), CBC(start)).encryptor()
    return encryptor.update(padder.update(data) + padder.finalize()) + encryptor.finalize()


def decrypt_cbc(key: bytes, start: bytes, data: bytes) -> bytes:
    """Decrypt AES-256-CBC with PKCS#7. Raises ValueError."""
    decryptor, unpadder = Cipher(AES256(key), CBC(start)).decryptor(), PKCS7(128).unpadder()
    plain = decryptor.update(data) + decryptor.finalize()
    return unpadder.update(plain) + unpadder.finalize()


def pad(plain: bytes) -> bytes:
    """Add WhatsApp's padding, which hides the length of a text: 1 to 15 equal bytes."""
    size = random.randint(1, _MAX_PADDING)
    return plain + bytes([size]) * size


def unpad(data: bytes) -> bytes:
    """Remove WhatsApp's padding. Raises Unreadable."""
    size = data[-1] if data else 0
    if not 0 < size <= len(data) or set(data[-size:]) != {size}:
        raise Unreadable("the padding is wrong")
    return data[:-size]
