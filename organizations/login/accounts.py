"""The account that a typed login name means: a username, or a mail address in any case."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db.models import Q


def login_name(typed: str) -> str:
    """Return the name under which attempts are counted: a mail address counts without its case."""
    return typed.lower() if "@" in typed else typed


def find_account(typed: str) -> User | None:
    """Return the user with this username, or else the only active one with this mail address.

    A username that is a mail address counts as one, so nobody logs in by the address of another
    user's name. One query for every name: its time does not tell which names exist.
    """
    matches = Q(username=typed)
    if "@" in typed:
        matches |= Q(is_active=True) & (Q(email__iexact=typed) | Q(username__iexact=typed))
    found = list(User.objects.filter(matches))
    exact = next((user for user in found if user.get_username() == typed), None)
    if exact is not None or len(found) != 1:
        return exact
    return found[0]


def spellings(user: User) -> set[str]:
    """Return the names by which this user may log in, as `login_name` returns them."""
    names = {login_name(user.get_username())}
    return names | {login_name(user.email)} if owns_address(user) else names


def owns_address(user: User) -> bool:
    """Return whether this user's mail address means this account and no other."""
    return bool(user.email) and find_account(user.email) == user
