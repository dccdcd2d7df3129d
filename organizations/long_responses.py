"""Breaks off responses that take long when the right to them ends meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from django.core.exceptions import ObjectDoesNotExist, PermissionDenied

CHECK_SECONDS = 5.0


class RightEnded(PermissionDenied):
    """The right to a response has ended while it was sent."""


def while_allowed(chunks: Iterable[bytes], check: Callable[[], object]) -> Iterator[bytes]:
    """Yield the chunks of a response whose right was just checked, and check it again on the way.

    `check`: raises PermissionDenied or DoesNotExist once the right has ended. It reads the caller
    and the organization again. Raises RightEnded, after which the client must not take what it has
    for the whole.
    """
    checked_at = time.monotonic()
    for chunk in chunks:
        if time.monotonic() - checked_at >= CHECK_SECONDS:
            try:
                check()
            except (PermissionDenied, ObjectDoesNotExist) as error:
                raise RightEnded from error
            checked_at = time.monotonic()
        yield chunk
