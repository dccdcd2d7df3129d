"""What a person shows: django-otp's devices, with nothing in the database that could be used.

The secret of an app is encrypted with a key from SECRET_KEY. Of recovery codes only hashes are
kept; a code has 80 random bits, so a plain hash cannot be turned back.
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
# Wrong codes delay the next one by 1, 2, 4 … seconds; twelve of them by 34 minutes, more no longer.
MAX_THROTTLED = 12
NONCE_LENGTH = 12


class SecretLost(Exception):
    """No key that is set decrypts this secret."""


@sensitive_variables("secret")
def seal(secret: bytes, user: User) -> str:
    """Encrypt an app's secret; only for this user can it be opened again."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = secrets.token_bytes(NONCE_LENGTH)
    sealed = AESGCM(_key(settings.SECRET_KEY)).encrypt(nonce, secret, _bound_to(user.pk))
    return base64.urlsafe_b64encode(nonce + sealed).decode()


@sensitive_variables("secret", "key")
def unseal(sealed: str, user_id: int) -> tuple[bytes, bool]:
    """Return the secret, and whether the current key has encrypted it. Raises SecretLost."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        read = base64.urlsafe_b64decode(sealed)
    except ValueError as error:
        raise SecretLost from error
    for number, key in enumerate([settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]):
        nonce, text = read[:NONCE_LENGTH], read[NONCE_LENGTH:]
        try:
            secret = AESGCM(_key(key)).decrypt(nonce, text, _bound_to(user_id))
        except (InvalidTag, ValueError):
            continue
        return secret, number == 0
    raise SecretLost


def _key(secret_key: str) -> bytes:
    return salted_hmac(__name__, "secret", secret=secret_key, algorithm="sha256").digest()


def _bound_to(user_id: int) -> bytes:
    return f"user {user_id}".encode()


class BoundedThrottle:
    """The delay after wrong codes has an upper bound, so that a person can always come back."""

    throttling_failure_count: int

    def throttle_increment(self, commit: bool = True) -> None:
        super().throttle_increment(commit=False)  # type: ignore[misc]
        self.throttling_failure_count = min(self.throttling_failure_count, MAX_THROTTLED)
        if commit:
            self.save()  # type: ignore[attr-defined]


class AuthenticatorApp(BoundedThrottle, TOTPDevice):
    """django-otp's device; `key` holds the encrypted secret. No code is taken twice."""

    class Meta:
        proxy = True

    @property
    def bin_key(self) -> bytes:
        """Raises SecretLost."""
        return unseal(self.key, self.user_id)[0]

    @sensitive_variables("token", "secret")
    def verify_token(self, token: str) -> bool:
        try:
            secret, is_current = unseal(self.key, self.user_id)
        except SecretLost:
            logger.error("a second factor cannot be decrypted", extra={"user": self.user_id})
            return False
        if not is_current:
            self.key = seal(secret, self.user)
        verified: bool = super().verify_token(token)  # type: ignore[no-untyped-call]
        return verified


class RecoveryCodes(BoundedThrottle, StaticDevice):
    """django-otp's device; its tokens are hashes of the codes. Each code works once."""

    class Meta:
        proxy = True

    @sensitive_variables("token")
    def verify_token(self, token: str) -> bool:
        digest = _hashed(token, self.user_id)
        verified: bool = super().verify_token(digest)  # type: ignore[no-untyped-call]
        return verified

    @sensitive_variables("codes")
    def renew(self) -> list[str]:
        """Replace all codes. Return the new ones, which nobody can read again."""
        codes = [_new_code() for _ in range(CODES)]
        self.token_set.all().delete()
        for code in codes:
            self.token_set.create(token=_hashed(code, self.user_id))
        return codes


def _new_code() -> str:
    """Return 80 random bits as a person can type them: `abcd-efgh-ijkl-mnop`."""
    letters = base64.b32encode(secrets.token_bytes(10)).decode().lower()
    return "-".join(re.findall("....", letters))


@sensitive_variables("code")
def _hashed(code: str, user_id: int) -> str:
    """Return 96 bits, which is as long as django-otp's column."""
    typed = re.sub(r"[^a-z2-7]", "", code.lower())
    digest = hashlib.sha256(f"{user_id}:{typed}".encode()).digest()
    return base64.urlsafe_b64encode(digest[:12]).decode()


def app_of(user: Any) -> AuthenticatorApp | None:
    """Return the app that this user's login asks for, or None."""
    found: AuthenticatorApp | None = (
        AuthenticatorApp.objects.filter(user_id=user.pk, confirmed=True).order_by("pk").first()
    )
    return found


def device_for(user: Any, code: str) -> AuthenticatorApp | RecoveryCodes | None:
    """Return the device that such a code belongs to: six digits are an app's."""
    if re.fullmatch(r"[0-9]{6}", code):
        return app_of(user)
    found: RecoveryCodes | None = RecoveryCodes.objects.filter(user_id=user.pk).first()
    return found
