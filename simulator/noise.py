"""The server's side of Noise_XX_25519_AESGCM_SHA256, and the two ciphers that result."""

from __future__ import annotations

import hashlib
import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from . import wire
from .xeddsa import KeyPair

PROLOGUE = b"WA\x06\x03"
_NAME = b"Noise_XX_25519_AESGCM_SHA256\0\0\0\0"


class NoiseError(Exception):
    """The handshake or a frame is malformed, or not encrypted with the agreed keys."""


class Cipher:
    """AES-256-GCM with a counter as the nonce, for one direction of a connection."""

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)
        self._counter = 0

    def seal(self, data: bytes, associated: bytes | None = None) -> bytes:
        """Encrypt the next message."""
        return self._aead.encrypt(self._nonce(), data, associated)

    def open(self, data: bytes, associated: bytes | None = None) -> bytes:
        """Decrypt the next message. Raises NoiseError when it does not authenticate."""
        try:
            return self._aead.decrypt(self._nonce(), data, associated)
        except (InvalidTag, ValueError) as error:
            raise NoiseError("a frame does not authenticate") from error

    def _nonce(self) -> bytes:
        nonce = self._counter.to_bytes(12, "big")
        self._counter += 1
        return nonce


class SymmetricState:
    """The running hash and keys of a handshake, the same on both sides."""

    def __init__(self) -> None:
        self._hash = self._chain = _NAME
        self._cipher = Cipher(_NAME)
        self.mix(PROLOGUE)

    def mix(self, data: bytes) -> None:
        """Mix public data into the transcript."""
        self._hash = hashlib.sha256(self._hash + data).digest()

    def mix_key(self, secret: bytes) -> None:
        """Mix a shared secret in, and restart the counter."""
        self._chain, key = _hkdf(self._chain, secret)
        self._cipher = Cipher(key)

    def seal(self, data: bytes) -> bytes:
        """Encrypt and mix a part of the handshake."""
        sealed = self._cipher.seal(data, self._hash)
        self.mix(sealed)
        return sealed

    def open(self, sealed: bytes) -> bytes:
        """Decrypt and mix a part of the handshake. Raises NoiseError if it is not authentic."""
        data = self._cipher.open(sealed, self._hash)
        self.mix(sealed)
        return data

    def split(self) -> tuple[Cipher, Cipher]:
        """Return the ciphers from client to server and from server to client."""
        first, second = _hkdf(self._chain, b"")
        return Cipher(first), Cipher(second)


class Responder:
    """The server's side: `hello` answers the clientHello, `finish` returns the client's key."""

    def __init__(self, static: KeyPair, certificate: bytes) -> None:
        self._static = static
        self._certificate = certificate
        self._ephemeral = KeyPair()
        self._state = SymmetricState()

    def hello(self, frame: bytes) -> bytes:
        """Return the serverHello frame for a clientHello frame. Raises NoiseError."""
        theirs = _part(frame, 2).data(1)
        state, ephemeral = self._state, self._ephemeral
        state.mix(theirs)
        state.mix(ephemeral.public)
        state.mix_key(_agree(ephemeral, theirs))
        static = state.seal(self._static.public)
        state.mix_key(_agree(self._static, theirs))
        payload = state.seal(self._certificate)
        return wire.encode({3: wire.encode({1: ephemeral.public, 2: static, 3: payload})})

    def finish(self, frame: bytes) -> tuple[bytes, bytes]:
        """Return the client's static key and ClientPayload from a clientFinish frame."""
        part = _part(frame, 4)
        static = self._state.open(part.data(1))
        self._state.mix_key(_agree(self._ephemeral, static))
        return static, self._state.open(part.data(2))

    def split(self) -> tuple[Cipher, Cipher]:
        """Return the ciphers from the client and to the client."""
        return self._state.split()


def _part(frame: bytes, field: int) -> wire.Message:
    try:
        return wire.decode(frame).message(field)
    except wire.WireError as error:
        raise NoiseError("a handshake message is malformed") from error


def _agree(ours: KeyPair, theirs: bytes) -> bytes:
    try:
        return ours.agree(theirs)
    except ValueError as error:
        raise NoiseError("a handshake key is malformed") from error


def _hkdf(salt: bytes, secret: bytes) -> tuple[bytes, bytes]:
    extracted = hmac.digest(salt, secret, "sha256")
    first = hmac.digest(extracted, b"\x01", "sha256")
    return first, hmac.digest(extracted, first + b"\x02", "sha256")
