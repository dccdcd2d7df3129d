"""Public ids, which cannot be guessed and say nothing."""

import secrets


def new_public_id() -> str:
    """Return a random id of 22 characters that are safe in a URL."""
    return secrets.token_urlsafe(16)
