"""Log in by mail address, where it means one account (organizations/login/accounts.py)."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from organizations.login.accounts import find_account


class MailBackend(ModelBackend):
    """Checks the password of an account that was named by its mail address.

    All other names are left to Django's backend, so that each attempt hashes one password.
    """

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **credentials: Any,
    ) -> User | None:
        """Return the user. Raises PermissionDenied, which stops the other backends."""
        if username is None or password is None:
            return None
        user = find_account(username)
        if user is None or user.get_username() == username:
            return None
        if not user.check_password(password) or not self.user_can_authenticate(user):
            raise PermissionDenied
        return user
