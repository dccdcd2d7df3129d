"""The only writers of second factors. Each change leaves its audit entry, and no code in it."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import transaction
from django.views.decorators.debug import sensitive_variables

from organizations.actors import Actor
from organizations.audit import log_audit
from organizations.models import AuditEntry
from organizations.second_factor.devices import AuthenticatorApp, RecoveryCodes, app_of, seal

Action = AuditEntry.Action


class WrongCode(Exception):
    """The app does not show this code."""


class AlreadySetUp(Exception):
    """The user has a second factor, in another tab or browser."""


@sensitive_variables("secret", "code")
def set_up(user: User, secret: bytes, code: str, actor: Actor) -> list[str]:
    """Make an app the second factor of its user. Return the recovery codes.

    Raises WrongCode and AlreadySetUp, and changes nothing then.
    """
    with transaction.atomic():
        _lock(user)
        if app_of(user) is not None:
            raise AlreadySetUp
        app = AuthenticatorApp.objects.create(user=user, name="app", key=seal(secret, user))
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
    """Remember that a recovery code was used to log in."""
    log_audit(Action.RECOVERY_CODE_USED, None, actor, user.get_username())


def codes_left(user: User) -> int:
    """Return how many recovery codes have not been used."""
    device = RecoveryCodes.objects.filter(user=user).first()
    return device.token_set.count() if device else 0


def _lock(user: User) -> None:
    User.objects.select_for_update(no_key=True).get(pk=user.pk)


def _renew(user: User) -> list[str]:
    device, _ = RecoveryCodes.objects.get_or_create(user=user, defaults={"name": "codes"})
    codes: list[str] = device.renew()
    return codes
