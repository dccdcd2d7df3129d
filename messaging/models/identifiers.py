"""Ids: our public ones, and WhatsApp's in a form that can be stored."""

import hashlib
import secrets

WHATSAPP_ID_LENGTH = 100
PUBLIC_ID_PATTERN = "[A-Za-z0-9_-]{22}"
"""A regular expression that public ids match."""


def new_public_id() -> str:
    """Return a random id of 22 characters that are safe in a URL."""
    return secrets.token_urlsafe(16)


def storable_id(whatsapp_id: str) -> str:
    """Return a message's id from WhatsApp, or a digest of one that no column takes.

    The sender's device chooses it, so it may be of any length and contain anything.
    """
    plain = whatsapp_id.isascii() and whatsapp_id.isprintable()
    if plain and 0 < len(whatsapp_id) <= WHATSAPP_ID_LENGTH:
        return whatsapp_id
    return "sha256-" + hashlib.sha256(whatsapp_id.encode(errors="surrogatepass")).hexdigest()
