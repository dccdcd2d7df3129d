"""The phone's side of pairing by code: keys encrypted with the eight characters of the code."""

from __future__ import annotations

import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CTR
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .xeddsa import KeyPair

_ALPHABET = frozenset("123456789ABCDEFGHJKLMNPQRSTVWXYZ")
_ROUNDS = 131_072
_BUNDLE_INFO = b"link_code_pairing_key_bundle_encryption_key"


class WrongCode(ValueError):
    """The code is malformed, or not the one that the companion shows."""


def normalize(code: str) -> str:
    """Return the eight characters of a code without its dash. Raises WrongCode."""
    plain = code.upper().replace("-", "").replace(" ", "")
    if len(plain) != 8 or not set(plain) <= _ALPHABET:
        raise WrongCode("a code is eight letters and digits")
    return plain


def wrap(code: str, public: bytes) -> bytes:
    """Encrypt a 32-byte public key with a normalized code: salt, counter start, ciphertext."""
    salt, start = os.urandom(32), os.urandom(16)
    return salt + start + _cipher(code, salt, start, public)


def unwrap(code: str, wrapped: bytes) -> bytes:
    """Decrypt the result of `wrap`; a wrong code gives random bytes. Raises WrongCode (length)."""
    if len(wrapped) != 80:
        raise WrongCode("the companion's wrapped key is malformed")
    return _cipher(code, wrapped[:32], wrapped[32:48], wrapped[48:])


class CodeExchange:
    """One attempt of a phone to link a companion with a code.

    The constructor runs PBKDF2 twice, about 0.1 s of CPU: call it outside of the event loop.
    """

    def __init__(self, keys: KeyPair, code: str, wrapped: bytes) -> None:
        self._keys = keys
        self._ephemeral = KeyPair()
        self._theirs = unwrap(code, wrapped)
        self.wrapped = wrap(code, self._ephemeral.public)
        self.identity = keys.public

    def adv_secret(self, bundle: bytes, companion_identity: bytes) -> bytes:
        """Return the secret that authenticates the phone's answer. Raises WrongCode."""
        try:
            shared = self._ephemeral.agree(self._theirs)
            key = _hkdf(shared, bundle[:32], _BUNDLE_INFO)
            plain = AESGCM(key).decrypt(bundle[32:44], bundle[44:], None)
            identities = self._keys.agree(companion_identity)
        except (InvalidTag, ValueError) as error:
            raise WrongCode("the code is wrong") from error
        if plain[:64] != companion_identity + self._keys.public:
            raise WrongCode("the companion's key bundle is for other keys")
        return _hkdf(shared + identities + plain[64:], None, b"adv_secret")


def _cipher(code: str, salt: bytes, start: bytes, data: bytes) -> bytes:
    key = hashlib.pbkdf2_hmac("sha256", code.encode(), salt, _ROUNDS, 32)
    return Cipher(AES256(key), CTR(start)).encryptor().update(data)


def _hkdf(secret: bytes, salt: bytes | None, info: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt, info).derive(secret)
