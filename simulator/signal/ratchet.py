"""The state of one Signal session: X3DH at its start, then the double ratchet."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field, replace

from simulator import wire

from .identity import SIGNED_ID, Bundle, Identity
from .primitives import (
    KEY_TYPE,
    MAC_SIZE,
    Unreadable,
    agree,
    decrypt_cbc,
    derive,
    digest,
    encrypt_cbc,
    new_private_key,
    public_key,
    with_type,
    without_type,
)

VERSION = b"\x33"
_DISCONTINUITY = b"\xff" * 32
_MAX_AHEAD = 2000
_MAX_CHAINS = 5


class OldCounter(Unreadable):
    """The message's key was used already: it was decrypted before."""


@dataclass(slots=True)
class Chain:
    """A chain of the other side: its ratchet key, the next key, and the keys that were skipped."""

    ratchet: bytes
    key: bytes
    index: int = 0
    skipped: dict[int, bytes] = field(default_factory=dict)

    def message_key(self, index: int) -> bytes:
        """Return the key of a message, and store those before it. Raises Unreadable."""
        if index < self.index:
            if index not in self.skipped:
                raise OldCounter(f"key {index} of a chain was used, it is at {self.index}")
            return self.skipped.pop(index)
        if index - self.index > _MAX_AHEAD:
            raise Unreadable("too far along its chain")
        while self.index < index:
            self.skipped[self.index] = self.key
            self._advance()
        key = self.key
        self._advance()
        while len(self.skipped) > _MAX_AHEAD:
            del self.skipped[next(iter(self.skipped))]
        return key

    def _advance(self) -> None:
        self.key = digest(self.key, b"\x02")
        self.index += 1


@dataclass(slots=True)
class Unanswered:
    """What each message repeats until the other side has answered: the start of the session."""

    key_id: int | None
    signed_id: int
    base: bytes


@dataclass(slots=True)
class Ratchet:
    """One session with a device. `base`: the initiator's base key, which names the session."""

    remote: bytes
    base: bytes
    root: bytes
    ratchet: bytes
    sending: bytes
    sent: int = 0
    previous: int = 0
    chains: list[Chain] = field(default_factory=list)
    unanswered: Unanswered | None = None

    @classmethod
    def start(cls, identity: Identity, bundle: Bundle) -> Ratchet:
        """Return a new session with the device of a bundle."""
        base = new_private_key()
        secrets = [
            _DISCONTINUITY,
            agree(identity.keys.scalar, bundle.signed),
            agree(base, bundle.identity),
            agree(base, bundle.signed),
        ]
        if bundle.key_id is not None:
            secrets.append(agree(base, bundle.key))
        root, chain = _split(derive(b"".join(secrets), b"WhisperText", 64))
        ratchet = new_private_key()
        sending_root, sending = _split(_step(root, ratchet, bundle.signed))
        public = public_key(base)
        return cls(
            bundle.identity,
            public,
            sending_root,
            ratchet,
            sending,
            chains=[Chain(bundle.signed, chain)],
            unanswered=Unanswered(bundle.key_id, bundle.signed_id, public),
        )

    @classmethod
    def answer(cls, identity: Identity, opening: wire.Message) -> Ratchet:
        """Return the session that another device's first message starts. Raises Unreadable."""
        if opening.number(6) != SIGNED_ID:
            raise Unreadable("not for this signed prekey")
        remote, base = without_type(opening.data(3)), without_type(opening.data(2))
        signed = identity.signed.scalar
        secrets = [
            _DISCONTINUITY,
            agree(signed, remote),
            agree(identity.keys.scalar, base),
            agree(signed, base),
        ]
        if key_id := opening.number(1):
            secrets.append(agree(identity.prekey(key_id).scalar, base))
        root, chain = _split(derive(b"".join(secrets), b"WhisperText", 64))
        return cls(remote, base, root, signed, chain)

    def encrypt(self, identity: Identity, plain: bytes) -> tuple[str, bytes]:
        """Return the type (`pkmsg` until the other side has answered, then `msg`) and the data."""
        cipher, mac_key, start = _message_keys(self.sending)
        fields: dict[int, int | bytes | str] = {
            1: with_type(public_key(self.ratchet)),
            2: self.sent,
            3: self.previous,
            4: encrypt_cbc(cipher, start, plain),
        }
        body = VERSION + wire.encode(fields)
        message = body + _mac(mac_key, identity.keys.public, self.remote, body)
        self.sending = digest(self.sending, b"\x02")
        self.sent += 1
        if self.unanswered is None:
            return "msg", message
        opening: dict[int, int | bytes | str] = {}
        if self.unanswered.key_id is not None:
            opening[1] = self.unanswered.key_id
        opening |= {2: with_type(self.unanswered.base), 3: with_type(identity.keys.public)}
        opening |= {4: message, 5: identity.registration, 6: self.unanswered.signed_id}
        return "pkmsg", VERSION + wire.encode(opening)

    def decrypt(self, identity: Identity, message: bytes) -> tuple[Ratchet, bytes]:
        """Return the session after a message, and its plaintext. Raises Unreadable.

        The session itself stays as it is, for an unreadable message must not change it.
        """
        body, mac = message[:-MAC_SIZE], message[-MAC_SIZE:]
        inner = wire.decode(strip_version(body))
        after = self._copy()
        chain = after._receiving_chain(without_type(inner.data(1)))
        cipher, mac_key, start = _message_keys(chain.message_key(inner.number(2)))
        if not hmac.compare_digest(mac, _mac(mac_key, self.remote, identity.keys.public, body)):
            raise Unreadable("the MAC is wrong")
        after.unanswered = None
        return after, decrypt_cbc(cipher, start, inner.data(4))

    def _copy(self) -> Ratchet:
        chains = [replace(chain, skipped=dict(chain.skipped)) for chain in self.chains]
        return replace(self, chains=chains)

    def _receiving_chain(self, ratchet: bytes) -> Chain:
        for chain in self.chains:
            if chain.ratchet == ratchet:
                return chain
        root, receiving = _split(_step(self.root, self.ratchet, ratchet))
        self.ratchet = new_private_key()
        self.root, self.sending = _split(_step(root, self.ratchet, ratchet))
        self.previous, self.sent = max(self.sent - 1, 0), 0
        chain = Chain(ratchet, receiving)
        self.chains = [*self.chains, chain][-_MAX_CHAINS:]
        return chain


def strip_version(data: bytes) -> bytes:
    """Return a message without its version. Raises Unreadable for another one."""
    if data[:1] != VERSION:
        raise Unreadable("an unknown version")
    return data[1:]


def _step(root: bytes, private: bytes, public: bytes) -> bytes:
    return derive(agree(private, public), b"WhisperRatchet", 64, root)


def _split(material: bytes) -> tuple[bytes, bytes]:
    return material[:32], material[32:]


def _message_keys(chain_key: bytes) -> tuple[bytes, bytes, bytes]:
    material = derive(digest(chain_key, b"\x01"), b"WhisperMessageKeys", 80)
    return material[:32], material[32:64], material[64:]


def _mac(key: bytes, sender: bytes, receiver: bytes, body: bytes) -> bytes:
    return digest(key, KEY_TYPE + sender + KEY_TYPE + receiver + body)[:MAC_SIZE]
