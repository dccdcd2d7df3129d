"""The addresses of pages in notices. They are built from SITE_URL, never from a request's Host."""

from __future__ import annotations

from django.conf import settings
from django.core import signing
from django.urls import reverse

from notices.models import Address

CONFIRM, STOP = "notices.confirm", "notices.stop"
CONFIRM_SECONDS = 3 * 24 * 3600


def is_configured() -> bool:
    """Return whether notices can be sent at all: they need an address of this service."""
    return bool(settings.SITE_URL)


def absolute(path: str) -> str:
    return f"{settings.SITE_URL}{path}"


def confirm_url(address: Address) -> str:
    """Return the page that confirms an address."""
    return absolute(reverse("notice_confirm", args=[_sign(address, CONFIRM)]))


def stop_url(address: Address) -> str:
    """Return the page that stops all notices to an address. It asks for no login."""
    return absolute(reverse("notice_stop", args=[_sign(address, STOP)]))


def _sign(address: Address, purpose: str) -> str:
    return signing.dumps([address.pk, address.nonce], salt=purpose)


def find_signed(signed: str, purpose: str) -> Address | None:
    """Return the address of a signed link, None if it is invalid, too old, or replaced."""
    try:
        max_age = CONFIRM_SECONDS if purpose == CONFIRM else None
        pk, nonce = signing.loads(signed, salt=purpose, max_age=max_age)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return Address.objects.filter(pk=pk, nonce=nonce).select_related("user").first()
