"""The only writers of second factors. Each change adds an audit entry without the code."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from organizations.access import Actor
from organizations.audit import log_audit
from organizations.models import AuditEntry
from organizations.models.second_factor import (
    AuthenticatorApp,
    RecoveryCodes,
    app_of,
    encrypt_secret,
)

Action = AuditEntry.Action


class WrongCode(Exception):
    """The code does not match the app's secret."""


class AlreadySetUp(Exception):
    """The user has a second factor already, set up in another tab or browser."""


@sensitive_variables("secret", "code")
def set_up(user: User, secret: bytes, code: str, actor: Actor) -> list[str]:
    """Store an app as the user's second factor. Return the recovery codes.

    Raises WrongCode and AlreadySetUp, and then changes nothing.
    """
    with transaction.atomic():
        _lock(user)
        if app_of(user) is not None:
            raise AlreadySetUp
        app = AuthenticatorApp.objects.create(
            user=user, name="app", key=encrypt_secret(secret, user)
        )
        if not app.verify_token(code):
            raise WrongCode
        log_audit(Action.SECOND_FACTOR_ADDED, None, actor, user.get_username())
        return _renew(user)


def renew_codes(user: User, actor: Actor) -> list[str]:
    """Replace the recovery codes. Return the new ones."""
    with transaction.atomic():
        _lock(user)
        log_audit(Action.RECOVERY_CODES_RENEWED, None, actor, user.get_username())
        return _renew(user)


def remove(user: User, actor: Actor, *, by_other: bool = False) -> bool:
    """Remove app and recovery codes. Return whether there was an app."""
    with transaction.atomic():
        _lock(user)
        count, _ = AuthenticatorApp.objects.filter(user=user).delete()
        RecoveryCodes.objects.filter(user=user).delete()
        if count:
            action = Action.SECOND_FACTOR_RESET if by_other else Action.SECOND_FACTOR_REMOVED
            log_audit(action, None, actor, user.get_username())
        return bool(count)


def record_recovery_code(user: User, actor: Actor) -> None:
    """Add an audit entry for a login with a recovery code."""
    log_audit(Action.RECOVERY_CODE_USED, None, actor, user.get_username())


def codes_left(user: User) -> int:
    """Return the number of unused recovery codes."""
    device = RecoveryCodes.objects.filter(user=user).first()
    return device.token_set.count() if device else 0


def _lock(user: User) -> None:
    User.objects.select_for_update(no_key=True).get(pk=user.pk)


def _renew(user: User) -> list[str]:
    device, _ = RecoveryCodes.objects.get_or_create(user=user, defaults={"name": "codes"})
    codes: list[str] = device.renew()
    return codes
