"""XEdDSA: signatures with X25519 keys, as the Signal protocol uses them."""

from __future__ import annotations

import hashlib
import os

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_P = 2**255 - 19


class KeyPair:
    """A key pair for signatures (XEdDSA) and key agreement (X25519), from a 32-byte seed."""

    def __init__(self, seed: bytes | None = None) -> None:
        self.seed = os.urandom(32) if seed is None else seed
        self._signer = Ed25519PrivateKey.from_private_bytes(self.seed)
        edwards = self._signer.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self._sign_bit = edwards[31] & 0x80
        self.scalar = hashlib.sha512(self.seed).digest()[:32]
        self._agreement = X25519PrivateKey.from_private_bytes(self.scalar)
        self.public = self._agreement.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature of a message; its top bit stores the Edwards sign."""
        signature = bytearray(self._signer.sign(message))
        signature[63] |= self._sign_bit
        return bytes(signature)

    def agree(self, public: bytes) -> bytes:
        """Return the 32-byte X25519 secret shared with a public key. Raises ValueError."""
        return self._agreement.exchange(X25519PublicKey.from_public_bytes(public))


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether a 64-byte signature over `message` is valid for the X25519 key `public`."""
    if len(public) != 32 or len(signature) != 64:
        return False
    u = int.from_bytes(public, "little") & ((1 << 255) - 1)
    y = (u - 1) * pow(u + 1, -1, _P) % _P if (u + 1) % _P else 0
    edwards = bytearray(y.to_bytes(32, "little"))
    edwards[31] |= signature[63] & 0x80
    plain = signature[:63] + bytes([signature[63] & 0x7F])
    try:
        Ed25519PublicKey.from_public_bytes(bytes(edwards)).verify(plain, message)
    except (InvalidSignature, ValueError):
        return False
    return True
