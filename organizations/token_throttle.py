"""Wrong tokens, counted by network: whoever tries one after another is told to wait.

A right token is let in all the same, so that one bad client does not lock out an office. Counted in
Django's cache: with one that processes share, they count together.
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
    """Too many wrong tokens from one address. `wait`: after how many seconds it may try again."""

    def __init__(self, wait: int) -> None:
        told = ngettext(
            "Too many wrong tokens from this address. Try again in {wait} second.",
            "Too many wrong tokens from this address. Try again in {wait} seconds.",
            wait,
        )
        super().__init__(told.format(wait=wait))
        self.wait = wait


def count(address: str | None) -> None:
    """Remember one more wrong token from here. Raises Throttled beyond the allowed number."""
    window = settings.WRONG_TOKEN_WINDOW_SECONDS
    key = f"wrong-tokens.{network_of(address)}"
    now = time.time()
    # The window begins with its first wrong token, and ends however many follow.
    ends = cache.get_or_set(f"{key}.ends", now + window, window)
    cache.add(key, 0, window)
    try:
        number = cache.incr(key)
    except ValueError:  # It has just run out.
        return
    if number > settings.WRONG_TOKENS_PER_ADDRESS:
        if number == settings.WRONG_TOKENS_PER_ADDRESS + 1:
            logger.warning("too many wrong tokens", extra={"address": address})
        raise Throttled(max(1, round(float(ends or now) - now)))
