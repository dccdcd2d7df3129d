"""Outages of other services: one log line for each, and growing delays between tries."""

from __future__ import annotations

import logging
from collections.abc import Iterator


class OutageLog:
    """Logs the first failure of an outage and its end, and nothing in between."""

    def __init__(
        self, logger: logging.Logger, began: str, ended: str = "", level: int = logging.ERROR
    ) -> None:
        """`began`, `ended`: the messages, "" for none. `level`: the level of `began`."""
        self.ongoing = False
        self._logger = logger
        self._began, self._ended, self._level = began, ended, level

    def record_failure(self, **fields: object) -> None:
        """Log the fields, if this is the first failure since the last success."""
        if not self.ongoing:
            self.ongoing = True
            self._logger.log(self._level, self._began, extra=fields)

    def record_success(self, **fields: object) -> None:
        """Log the end of an outage, if there was one."""
        if self.ongoing:
            self.ongoing = False
            if self._ended:
                self._logger.warning(self._ended, extra=fields)


def delays(first: float, longest: float) -> Iterator[float]:
    """Yield the seconds before each next try: `first`, then doubled up to `longest`."""
    delay = first
    while True:
        yield delay
        delay = min(delay * 2, longest)
