"""The keys of a simulated account, and the key bundles with which others start a session."""

from __future__ import annotations

import hashlib
import hmac
import random
from dataclasses import dataclass

from simulator.xeddsa import KeyPair

from .primitives import KEY_TYPE

SIGNED_ID = 1
_MAX_ID = 1 << 24


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


class Identity:
    """An account's identity key and prekeys, all derived from the identity key's seed."""

    def __init__(self, keys: KeyPair, registration: int) -> None:
        self.keys = keys
        self.registration = registration
        self.signed = self.prekey(SIGNED_ID)
        self._signature = keys.sign(KEY_TYPE + self.signed.public)

    def prekey(self, key_id: int) -> KeyPair:
        """Return the prekey with an id."""
        return KeyPair(hmac.digest(self.keys.seed, b"prekey %d" % key_id, hashlib.sha256))

    def bundle(self) -> Bundle:
        """Return the account's bundle with a random one-time key."""
        key_id = random.randrange(SIGNED_ID + 1, _MAX_ID)
        return Bundle(
            self.registration,
            self.keys.public,
            SIGNED_ID,
            self.signed.public,
            self._signature,
            key_id,
            self.prekey(key_id).public,
        )
