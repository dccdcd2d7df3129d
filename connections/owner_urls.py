"""The addresses of links for phones' owners."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import reverse


def url_of(request: HttpRequest, secret: str) -> str:
    """Return the address to send to a phone's owner. Browsers send no server what is behind #."""
    return f"{request.build_absolute_uri(reverse('owner'))}#{secret}"
