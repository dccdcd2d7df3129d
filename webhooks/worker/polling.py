"""When a worker asks which webhooks are due, and in which organizations."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from datetime import datetime

from connections.worker.polling import safety_seconds, seconds_until
from connections.worker.tasks.context import loop_time

# The shortest time between two polls of everything; what has no room is looked for so often.
POLL_SECONDS = 2.0
# Results that no cursor waits for are stored together.
STORE_SECONDS = 0.25
# Beyond that, one query for all organizations is cheaper.
MAX_WOKEN = 500

Types = Collection[str] | None
"""Of the events that an organization has got; None: whatever is due there."""


class DeliveryPolls:
    """Tells the deliveries when to take their next turn, and what it looks at.

    `woken`: called whenever the logs may have grown.
    """

    def __init__(self, woken: Callable[[], None]) -> None:
        self._on_woken = woken
        self._organizations: dict[int, Types] = {}
        self._own: set[int] = set()  # those of them of which other workers were told nothing
        self._wake = asyncio.Event()
        self._store_timer: asyncio.TimerHandle | None = None
        self._poll_at = 0.0

    # --- What wakes it --------------------------------------------------------------------------

    def notice(self, appended: Mapping[int, Types]) -> None:
        """Look soon for what is due in organizations, of which the logs have got these types."""
        if not appended:
            return
        for organization_id, types in appended.items():
            before = self._organizations.get(organization_id, ())
            unknown = types is None or before is None
            self._organizations[organization_id] = (
                None if unknown else {*(before or ()), *(types or ())}
            )
        if len(self._organizations) > MAX_WOKEN:
            self._poll_at = 0.0
        self._wake.set()
        self._on_woken()

    def notice_own(self, appended: Mapping[int, Types]) -> None:
        """Do what `notice` does where no other worker was told of it."""
        self._own.update(appended)
        self.notice(appended)

    def poll_soon(self) -> None:
        """Look soon for whatever is due."""
        self._poll_at = 0.0
        self._wake.set()
        self._on_woken()

    def turn_soon(self) -> None:
        """Take a turn soon: something is to be stored, or to be released."""
        self._wake.set()

    def store_soon(self) -> None:
        """Take a turn when further results may have gathered."""
        if self._store_timer is None:
            loop = asyncio.get_running_loop()
            self._store_timer = loop.call_later(STORE_SECONDS, self._store_now)

    def _store_now(self) -> None:
        self._store_timer = None
        self._wake.set()

    # --- What the next turn looks at ------------------------------------------------------------

    @property
    def is_due(self) -> bool:
        """Whether the next turn asks for whatever is due."""
        return loop_time() >= self._poll_at

    @property
    def organizations(self) -> Mapping[int, Types]:
        """Those of which the logs have grown since the last turn."""
        return self._organizations

    def take(self) -> tuple[dict[int, Types], set[int]]:
        """Return what has grown, and which of it no other worker was told of, and forget both."""
        taken = self._organizations, self._own
        self._organizations, self._own = {}, set()
        return taken

    def look_again(self, organization_id: int) -> None:
        """Let the next turn look for whatever is due in an organization."""
        self._organizations[organization_id] = None

    def poll_in(self, seconds: float) -> None:
        """Ask for whatever is due after so many seconds."""
        self._poll_at = loop_time() + seconds

    def poll_within(self, seconds: float) -> None:
        """Ask for whatever is due after so many seconds, if not before."""
        self._poll_at = min(self._poll_at, loop_time() + seconds)

    def poll_at(self, moment: datetime | None) -> None:
        """Ask for whatever is due at a moment, or when it is time for the safety poll."""
        due_in, longest = seconds_until(moment), safety_seconds()
        self.poll_in(max(POLL_SECONDS, longest if due_in is None else min(due_in, longest)))

    # --- Turns ----------------------------------------------------------------------------------

    def begin_turn(self) -> None:
        """What comes from now on needs another turn."""
        self._wake.clear()

    async def wait(self, latest: float | None) -> None:
        """Wait until something wakes it, or for the next poll. `latest`: a time of the loop."""
        if self._wake.is_set():
            return
        until = self._poll_at if latest is None else min(self._poll_at, latest)
        try:
            async with asyncio.timeout(max(0.0, until - loop_time())):
                await self._wake.wait()
        except TimeoutError:
            return
