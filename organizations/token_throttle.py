"""The limit of wrong API tokens per network.

Correct tokens are still accepted, so that one bad client does not lock out an office. The counts
are in Django's cache; processes that share a cache count together.
"""

from __future__ import annotations

import logging
import time

from django.conf import settings
from django.core.cache import cache
from django.utils.translation import ngettext

from organizations.client_network import network_of

logger = logging.getLogger(__name__)


class Throttled(Exception):
    """Too many wrong tokens from one network. `wait`: seconds until the next attempt."""

    def __init__(self, wait: int) -> None:
        text = ngettext(
            "Too many wrong tokens from this address. Try again in {wait} second.",
            "Too many wrong tokens from this address. Try again in {wait} seconds.",
            wait,
        )
        super().__init__(text.format(wait=wait))
        self.wait = wait


def record_wrong_token(address: str | None) -> None:
    """Count a wrong token from this address. Raises Throttled above WRONG_TOKENS_PER_ADDRESS."""
    window = settings.WRONG_TOKEN_WINDOW_SECONDS
    key = f"wrong-tokens.{network_of(address)}"
    now = time.time()
    # The window starts with the first wrong token; further ones do not extend it.
    ends = cache.get_or_set(f"{key}.ends", now + window, window)
    cache.add(key, 0, window)
    try:
        number = cache.incr(key)
    except ValueError:  # The key has just expired.
        return
    if number > settings.WRONG_TOKENS_PER_ADDRESS:
        if number == settings.WRONG_TOKENS_PER_ADDRESS + 1:
            logger.warning("too many wrong tokens", extra={"address": address})
        raise Throttled(max(1, round(float(ends or now) - now)))
