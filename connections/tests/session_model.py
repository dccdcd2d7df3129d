"""What `worker/session.py` does for one request, as steps that a test takes one by one.

A step stops where others may come in between, and yields the answers that WhatsApp, the phone or
the disk may give there: the faultless one first, the troubles after it.
"""

from __future__ import annotations

from collections.abc import Container, Generator
from datetime import datetime, timedelta
from typing import TypeVar

from connections import actions
from connections.actions import Fence, NumberRejected, Superseded
from connections.lifecycle import Desired, Observation, Reason
from connections.models import Connection, Method, PairingAttempt
from connections.tests.fake_worker import CODE_LASTS, PAIRING_LASTS
from connections.worker.event_mapping import USELESS
from connections.worker.pairing_endings import HELD, NOT_OURS
from organizations.models import Organization

T = TypeVar("T")
Steps = Generator[tuple[str, ...], str, T]
Key = tuple[int, str]  # an organization and one of its stores

GO = ("go on",)
REST = "stay"  # the faultless answer of a link that is held: nothing happens
NUMBERS = ("5511987654321", "491701234567", "14155550123")

FINALS = {
    "unlinked": Observation.LOGGED_OUT_BY_PHONE,
    "forgotten": Observation.FORGOTTEN,
    "locked": Observation.ACCOUNT_LOCKED,
    "banned": Observation.BANNED,
    "replaced": Observation.TAKEN_OVER,
    "damaged": Observation.CREDENTIALS_DAMAGED,
}
DROPS = {
    "no dial": Observation.UNREACHABLE,
    "lost": Observation.LINK_LOST,
    "dropped again": Observation.LINK_UNSTABLE,
    "refused": Observation.LOGIN_REFUSED,
    "refused for long": Observation.LOGIN_STILL_REFUSED,
    "crashed": Observation.HOST_CRASHED,
    "no disk": Observation.STORE_UNUSABLE,
    "temporary ban": Observation.TEMPORARILY_BANNED,
    "outdated": Observation.CLIENT_OUTDATED,
}
WAITS = {
    Observation.TEMPORARILY_BANNED: timedelta(days=1),
    Observation.CLIENT_OUTDATED: timedelta(minutes=5),
}
NO_CODE = {
    "outdated": Observation.PAIRING_OUTDATED,
    "unreachable": Observation.PAIRING_UNREACHABLE,
    "no disk": Observation.STORE_FAILED,
    "no host": Observation.PAIRING_CRASHED,
    "overtime": Observation.PAIRING_TIMED_OUT,
}
NO_SCAN = {
    "expired": Observation.CODES_EXPIRED,
    "refused": Observation.PAIRING_REFUSED,
    "passkey": Observation.PAIRING_PASSKEY,
    "unverified": Observation.PAIRING_UNVERIFIED,
    "turned away": Observation.PAIRING_TURNED_AWAY,
    "outdated": Observation.PAIRING_OUTDATED,
    "crashed": Observation.PAIRING_CRASHED,
    "overtime": Observation.PAIRING_TIMED_OUT,
}
AFTER_SCAN = {
    "crashed": Observation.PAIRING_CRASHED,
    "overtime": Observation.PAIRING_TIMED_OUT,
    "temporary ban": Observation.TEMPORARILY_BANNED,
    "outdated": Observation.CLIENT_OUTDATED,
    "unlinked": Observation.LOGGED_OUT_BY_PHONE,
    "replaced": Observation.TAKEN_OVER,
}
TROUBLES = sorted(
    {*FINALS, *DROPS, *NO_CODE, *NO_SCAN, *AFTER_SCAN, *NUMBERS}
    | {
        "broke",
        "give up",
        "silent",
        "code lost",
        "next",
        "unsupported",
        "untold",
        "left",
        Observation.STORE_FAILED.value,
    }
)


class World:
    """The folder of credentials, the devices that WhatsApp knows, and the time."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.stores: dict[Key, str] = {}  # and the number in it, "" before a phone is linked
        self.damaged: set[Key] = set()
        self.devices: set[Key] = set()
        self.banned: dict[Key, datetime] = {}  # and until when

    def linked_number(self, organization: int, store: str) -> str:
        """As the supervisor asks it for a claim: what cannot be read is no one's."""
        key = (organization, store)
        return "" if key in self.damaged else self.stores.get(key, "")

    def remove(self, organization: int, keep: Container[str] = frozenset(), only: str = "") -> None:
        """`discard` (only), `discard_others` (keep) and `delete` of `auth_sessions`."""
        for key in list(self.stores):
            if key[0] == organization and key[1] not in keep and only in ("", key[1]):
                del self.stores[key]
                self.damaged.discard(key)

    def forget(self, key: Key) -> None:
        """WhatsApp does not know this device any more."""
        self.devices.discard(key)

    def dial(self, key: Key) -> None:
        """WhatsApp is tried with these credentials; during a ban that makes it longer."""
        assert self.now >= self.banned.get(key, self.now), f"tried during a ban: {key}"

    def fitting(self, organization: int) -> str:
        """The number of a phone that this organization may link, if there is one."""
        expected = Organization.objects.get(pk=organization).expected_number
        others = Connection.objects.exclude(pk=organization).exclude(store_name="")
        taken = set(others.values_list("number", flat=True))
        return expected or next(number for number in NUMBERS if number not in taken)


class Broke(Exception):
    """An error of our own."""


class SessionModel:
    """One request (a generation) of one connection."""

    def __init__(self, world: World, connection: Connection) -> None:
        self.world = world
        self.id = connection.pk
        self.fence = Fence(connection.pk, connection.claim, connection.generation)
        self.store_name = connection.store_name
        self.requested = connection.started_generation < connection.generation
        self.to_connect = connection.desired == Desired.CONNECTED and not connection.logout_pending
        self.fresh_code = self.requested and connection.fresh_code and bool(self.store_name)
        self.disconnecting = False

    @property
    def key(self) -> Key:
        return self.id, self.store_name

    def observe(
        self, observation: Observation, detail: str = "", retry_at: datetime | None = None
    ) -> None:
        actions.record_event(self.fence, observation, detail, retry_at)

    def run(self) -> Steps[None]:
        """To the end of the request, or until a newer one supersedes it."""
        while True:
            try:
                return (yield from self._run())
            except Superseded:
                return
            except Broke:
                if (yield ("again", "give up")) == "give up":
                    break
        self.last_words((yield (Observation.SESSION_BROKE, Observation.STORE_FAILED)))

    def last_words(self, observation: str) -> None:
        try:
            self.observe(Observation(observation))
        except Superseded:
            return

    def pause(self) -> None:
        """The organization is deactivated."""
        if Connection.objects.get(pk=self.id).banned_until is None:
            interrupted = Observation.PAIRING_INTERRUPTED
            self.last_words(Observation.PAUSED if self.store_name else interrupted)

    def _run(self) -> Steps[None]:
        if self.requested and self.to_connect and (not self.store_name or self.fresh_code):
            went_on = yield from self._pair(None, first=True)
        else:
            went_on = yield from self._carry_out()
        while went_on and (because := (yield from self._hold())):
            went_on = yield from self._pair(because)

    def _carry_out(self) -> Steps[bool]:
        connection = actions.mark_started(self.fence)
        self.store_name = connection.store_name
        yield GO
        if connection.logout_pending:
            yield from self._disconnect(connection)
        gave_up = self.requested or connection.reason == Reason.SAVED_LOGIN_KEPT
        if gave_up and not connection.logout_pending:
            self.world.remove(self.id, keep={self.store_name, *_linked_stores(self.id)})
        if connection.desired != Desired.CONNECTED:
            return False
        if self.fresh_code:
            return (yield from self._pair(None))
        because = self._first_obstacle()
        if because is None:
            if self.requested:
                self.observe(Observation.RESUME_STARTED)
        elif self.requested:
            return (yield from self._pair(because if self.store_name else None))
        else:
            self.observe(because)
        return because is None

    def _first_obstacle(self) -> Observation | None:
        if self.key in self.world.damaged:
            return Observation.CREDENTIALS_DAMAGED
        linked = self.world.linked_number(*self.key)
        return None if linked else Observation.CREDENTIALS_MISSING

    def _disconnect(self, connection: Connection) -> Steps[None]:
        self.disconnecting = True
        banned = connection.retry_at is not None and connection.retry_at > self.world.now
        answer = yield ("untold" if banned else "told", "untold", "broke")
        if answer == "broke":
            raise Broke
        if answer == "told":
            self.world.dial(self.key)
            self.world.forget(self.key)
        self.world.remove(self.id)
        yield GO
        told = answer == "told"
        seen = Observation.DISCONNECTED if told else Observation.DISCONNECTED_UNCONFIRMED
        actions.forget_credentials(self.fence, seen)
        self.store_name = ""
        self.disconnecting = False

    def _wait_until(self, moment: datetime) -> Steps[None]:
        yield ("waited",)
        self.world.now = max(self.world.now, moment)

    # --- Holding a link --------------------------------------------------------------------------

    def _hold(self) -> Steps[Observation | None]:
        """Returns why a fresh pairing should follow, or None when only a person can help."""
        banned_until = Connection.objects.get(pk=self.id).banned_until
        if banned_until is not None:
            yield from self._wait_until(banned_until)
        while True:
            known = "connected" if self.key in self.world.devices else "forgotten"
            self.world.dial(self.key)
            truth = "damaged" if self.key in self.world.damaged else known
            answer = yield (truth, *DROPS, *FINALS, "broke")
            while answer in ("connected", REST, "silent"):
                self.requested = False
                silent = answer == "silent"
                self.observe(Observation.NOT_ANSWERING if silent else Observation.RESUMED)
                answer = yield (REST, "silent", *DROPS, *FINALS, "broke")
            if answer == "broke":
                raise Broke
            if answer in FINALS:
                return self._final(answer)
            seen = DROPS[answer]
            retry_at = self.world.now + WAITS.get(seen, timedelta(minutes=1))
            if seen == Observation.TEMPORARILY_BANNED:
                self.world.banned[self.key] = retry_at
            self.observe(seen, answer, retry_at)
            yield from self._wait_until(retry_at)

    def _final(self, answer: str) -> Observation | None:
        seen = FINALS[answer]
        if seen == Observation.CREDENTIALS_DAMAGED:
            self.world.damaged.add(self.key)
        elif seen in USELESS:
            self.world.forget(self.key)
        if seen in USELESS and self.requested:
            return seen
        self.observe(seen)
        return None

    # --- Linking a phone -------------------------------------------------------------------------

    def _pair(self, because: Observation | None, first: bool = False) -> Steps[bool]:
        attempt = actions.begin_pairing(self.fence, PAIRING_LASTS, because)
        kept = self.store_name if self.fresh_code else ""
        if first:
            yield GO
            if any(pk == self.id for pk, _ in self.world.stores):
                self.world.remove(
                    self.id, keep={attempt.store_name, kept, *_linked_stores(self.id)}
                )
                actions.mark_started(self.fence)
        self.accepted = False
        self.until: datetime | None = None
        ending = yield from self._pair_until_over(attempt)
        linked = ending is None or (yield from self._end(attempt, ending))
        self.requested = self.fresh_code = False
        yield GO
        linked = linked or attempt.store_name in _linked_stores(self.id)
        if not linked:
            self.world.remove(self.id, only=attempt.store_name)
            return bool(kept)
        self.store_name = attempt.store_name
        if kept:
            yield from self._retire(kept)
        self.world.remove(self.id, keep={attempt.store_name})
        return True

    def _retire(self, store: str) -> Steps[None]:
        if (yield ("told", "left")) == "left":
            self.observe(Observation.OLD_DEVICE_LEFT)
        else:
            self.world.forget((self.id, store))

    def _end(self, attempt: PairingAttempt, ending: Observation) -> Steps[bool]:
        """The phone may have accepted the code before things went wrong."""
        number = self.world.linked_number(self.id, attempt.store_name)
        if self.accepted and number and ending not in NOT_OURS:
            seen = ending if ending in HELD else Observation.LINK_LOST
            try:
                actions.link(self.fence, attempt, number, seen, "", self.until)
            except NumberRejected as unwelcome:
                ending = unwelcome.observation
            else:
                return True
        yield GO
        actions.end_pairing(self.fence, Observation.PAIRING_CRASHED if ending in HELD else ending)
        return False

    def _pair_until_over(self, attempt: PairingAttempt) -> Steps[Observation | None]:
        while True:
            answer = yield ("code", "no dial", *NO_CODE)
            if answer in NO_CODE:
                return NO_CODE[answer]
            if answer == "no dial":
                self.observe(Observation.DIAL_FAILED)
                continue
            self.world.remove(self.id, only=attempt.store_name)
            self.world.stores[self.id, attempt.store_name] = ""
            answer = yield from self._show_codes(attempt)
            if answer in NO_SCAN:
                return NO_SCAN[answer]
            if answer == "scan":
                return (yield from self._link(attempt))
            actions.lose_code(self.fence, attempt.pk, answer)

    def _show_codes(self, attempt: PairingAttempt) -> Steps[str]:
        shown = 0
        answer = "next"
        while answer in ("next", "unsupported"):
            if answer == "unsupported":
                self.observe(Observation.PHONE_UNSUPPORTED)
            shown = min(6, shown + 1)
            if attempt.method == Method.PHONE:
                actions.show_phone_code(self.fence, attempt.pk, "ABCD-EFGH", 6, CODE_LASTS)
            else:
                actions.show_code(self.fence, attempt.pk, f"code {shown}", shown, 6, CODE_LASTS)
            answer = yield ("scan", "next", "unsupported", "code lost", *NO_SCAN)
        return answer

    def _link(self, attempt: PairingAttempt) -> Steps[Observation | None]:
        """The phone scans; from here on its credentials lie in the store."""
        number = yield (self.world.fitting(self.id), *NUMBERS)
        self.world.stores[self.id, attempt.store_name] = number
        self.world.devices.add((self.id, attempt.store_name))
        self.accepted = True
        if (yield ("accepted", "code lost")) == "code lost":
            return Observation.PAIRING_CRASHED  # But the phone was quicker than the break.
        actions.accept_code(self.fence, attempt.pk)
        answer = yield ("connected", *AFTER_SCAN)
        if answer == "connected":
            try:
                actions.link(self.fence, attempt, number)
            except NumberRejected as unwelcome:
                self.world.forget((self.id, attempt.store_name))
                return unwelcome.observation
            answer = yield ("closed", "overtime")
            return None if answer == "closed" else AFTER_SCAN[answer]
        seen = AFTER_SCAN[answer]
        if seen in USELESS:
            self.world.forget((self.id, attempt.store_name))
        if seen in WAITS:
            self.until = self.world.now + WAITS[seen]
        if seen == Observation.TEMPORARILY_BANNED and self.until is not None:
            self.world.banned[self.id, attempt.store_name] = self.until
        return seen


def _linked_stores(connection_id: int) -> set[str]:
    linked = PairingAttempt.Outcome.LINKED
    attempts = PairingAttempt.objects.filter(connection=connection_id, outcome=linked)
    return {attempt.store_name for attempt in attempts}
