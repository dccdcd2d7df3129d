"""django-otp's devices, with secrets stored in a form that a stolen database does not reveal.

An app's secret is encrypted with a key derived from SECRET_KEY. Recovery codes are stored as
hashes; a code has 80 random bits, so a plain hash cannot be reversed.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import re
import secrets
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.utils.crypto import salted_hmac
from django.views.decorators.debug import sensitive_variables
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

logger = logging.getLogger(__name__)

CODES = 10
# Wrong codes delay the next one by 1, 2, 4 … seconds; twelve or more by 34 minutes.
MAX_THROTTLED = 12
NONCE_LENGTH = 12


class SecretUndecryptable(Exception):
    """Neither SECRET_KEY nor SECRET_KEY_FALLBACKS decrypts this secret."""


@sensitive_variables("secret")
def encrypt_secret(secret: bytes, user: User) -> str:
    """Return an app's secret encrypted and bound to this user."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = secrets.token_bytes(NONCE_LENGTH)
    sealed = AESGCM(_key(settings.SECRET_KEY)).encrypt(nonce, secret, _associated_data(user.pk))
    return base64.urlsafe_b64encode(nonce + sealed).decode()


@sensitive_variables("secret", "key")
def decrypt_secret(sealed: str, user_id: int) -> tuple[bytes, bool]:
    """Return the secret, and whether the current key encrypted it. Raises SecretUndecryptable."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        read = base64.urlsafe_b64decode(sealed)
    except ValueError as error:
        raise SecretUndecryptable from error
    for number, key in enumerate([settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]):
        nonce, text = read[:NONCE_LENGTH], read[NONCE_LENGTH:]
        try:
            secret = AESGCM(_key(key)).decrypt(nonce, text, _associated_data(user_id))
        except (InvalidTag, ValueError):
            continue
        return secret, number == 0
    raise SecretUndecryptable


def _key(secret_key: str) -> bytes:
    return salted_hmac(__name__, "secret", secret=secret_key, algorithm="sha256").digest()


def _associated_data(user_id: int) -> bytes:
    return f"user {user_id}".encode()


class BoundedThrottle:
    """Limits the delay after wrong codes, so that nobody is locked out permanently."""

    throttling_failure_count: int

    def throttle_increment(self, commit: bool = True) -> None:
        super().throttle_increment(commit=False)  # type: ignore[misc]
        self.throttling_failure_count = min(self.throttling_failure_count, MAX_THROTTLED)
        if commit:
            self.save()  # type: ignore[attr-defined]


class AuthenticatorApp(BoundedThrottle, TOTPDevice):
    """A TOTP device whose `key` is the encrypted secret. Each code is accepted once."""

    class Meta:
        proxy = True

    @property
    def bin_key(self) -> bytes:
        """Return the decrypted secret. Raises SecretUndecryptable."""
        return decrypt_secret(self.key, self.user_id)[0]

    @sensitive_variables("token", "secret")
    def verify_token(self, token: str) -> bool:
        try:
            secret, is_current = decrypt_secret(self.key, self.user_id)
        except SecretUndecryptable:
            logger.error("a second factor cannot be decrypted", extra={"user": self.user_id})
            return False
        if not is_current:
            self.key = encrypt_secret(secret, self.user)
        verified: bool = super().verify_token(token)  # type: ignore[no-untyped-call]
        return verified


class RecoveryCodes(BoundedThrottle, StaticDevice):
    """A static device whose tokens are hashes of the recovery codes. Each code works once."""

    class Meta:
        proxy = True

    @sensitive_variables("token")
    def verify_token(self, token: str) -> bool:
        digest = _hashed(token, self.user_id)
        verified: bool = super().verify_token(digest)  # type: ignore[no-untyped-call]
        return verified

    @sensitive_variables("codes")
    def renew(self) -> list[str]:
        """Replace all codes. Return the new ones, which cannot be read again."""
        codes = [_new_code() for _ in range(CODES)]
        self.token_set.all().delete()
        for code in codes:
            self.token_set.create(token=_hashed(code, self.user_id))
        return codes


def _new_code() -> str:
    """Return 80 random bits as text that is easy to type: `abcd-efgh-ijkl-mnop`."""
    letters = base64.b32encode(secrets.token_bytes(10)).decode().lower()
    return "-".join(re.findall("....", letters))


@sensitive_variables("code")
def _hashed(code: str, user_id: int) -> str:
    """Return a hash of 96 bits, the length of django-otp's column."""
    normalized = re.sub(r"[^a-z2-7]", "", code.lower())
    digest = hashlib.sha256(f"{user_id}:{normalized}".encode()).digest()
    return base64.urlsafe_b64encode(digest[:12]).decode()


def app_of(user: Any) -> AuthenticatorApp | None:
    """Return the user's authenticator app, or None."""
    found: AuthenticatorApp | None = (
        AuthenticatorApp.objects.filter(user_id=user.pk, confirmed=True).order_by("pk").first()
    )
    return found


def device_for(user: Any, code: str) -> AuthenticatorApp | RecoveryCodes | None:
    """Return the device for a code: the app for six digits, else the recovery codes."""
    if re.fullmatch(r"[0-9]{6}", code):
        return app_of(user)
    found: RecoveryCodes | None = RecoveryCodes.objects.filter(user_id=user.pk).first()
    return found
