"""How long the phone itself was not heard from, and what that means.

WhatsApp unlinks all devices of a phone that was off for 14 days. What shows that a phone is on, in
whatsmeow's source: `parseMessageSource` (message.go) gives an event the device that sent it, and
device 0 of one's own number is the phone. So its signs are the messages that it writes, the
protocol messages that it alone sends (history, keys of the app state), and its receipts
(`parseReceipt`): for copies of our messages, and for what was read on it. Presence of one's own
phone and the author of a change of the app state are not shown.

A phone that is on may show nothing for days where nobody writes. So the words say when it was heard
from, and not that it is off.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_noop as _

from connections.lifecycle import State

WARN_DAYS, ACTION_DAYS, UNLINK_DAYS = 10, 12, 14

UNKNOWN = _("The phone itself was not heard from yet.")
TODAY = _("The phone was last heard from within a day.")
NOTICE = _(
    "The phone was not heard from for {days} days, and WhatsApp unlinks devices after {limit} days."
)
UNLINKS = _("WhatsApp unlinks devices after {days} days.")
NEXT_STEP = _(
    "Open WhatsApp on the phone while it is online. If it is on anyway, send a test message: the "
    "phone then shows a sign."
)


class SilenceLevel(StrEnum):
    """What the silence of a phone asks for, in the API."""

    WARNING = "warning"
    ACTION_NEEDED = "action_needed"


@dataclass(frozen=True)
class PhoneSilence:
    """For how many whole days a linked phone was not heard from, None if it never was."""

    days: int | None

    @classmethod
    def since(cls, seen_at: datetime | None) -> PhoneSilence:
        """Return the silence of a linked phone by its last sign."""
        return cls(None if seen_at is None else max(0, (timezone.now() - seen_at).days))

    @property
    def warns(self) -> bool:
        """Whether pages warn of it."""
        return self.days is not None and self.days >= WARN_DAYS

    @property
    def needs_action(self) -> bool:
        """Whether somebody has to look after the phone."""
        return self.days is not None and self.days >= ACTION_DAYS

    @property
    def level(self) -> SilenceLevel | None:
        """What it asks for, None for nothing."""
        if self.needs_action:
            return SilenceLevel.ACTION_NEEDED
        return SilenceLevel.WARNING if self.warns else None

    @property
    def sentence(self) -> str:
        """What people read about it."""
        if self.days is None:
            return gettext(UNKNOWN)
        if self.days == 0:
            return gettext(TODAY)
        text = ngettext(
            "The phone was last heard from {count} day ago.",
            "The phone was last heard from {count} days ago.",
            self.days,
        ).format(count=self.days)
        return f"{text} {gettext(UNLINKS).format(days=UNLINK_DAYS)}" if self.warns else text

    @property
    def next_step(self) -> str:
        """What to do about it, "" for nothing."""
        return gettext(NEXT_STEP) if self.warns else ""


def last_heard_before(days: int, prefix: str = "") -> Q:
    """Return the condition that a sign is known, and is as many days old or older.

    `prefix`: the path to the connection from another model.
    """
    return Q(**{f"{prefix}phone_seen_at__lte": timezone.now() - timedelta(days=days)})


def needs_action_q() -> Q:
    """Return `PhoneSilence.needs_action` in SQL, for rows with their effective state."""
    return Q(effective_state=State.CONNECTED) & last_heard_before(ACTION_DAYS)


def level_q(level: SilenceLevel) -> Q:
    """Return `PhoneSilence.level == level` in SQL, for rows with their effective state."""
    if level == SilenceLevel.ACTION_NEEDED:
        return needs_action_q()
    return (
        Q(effective_state=State.CONNECTED)
        & last_heard_before(WARN_DAYS)
        & ~last_heard_before(ACTION_DAYS)
    )


def threshold_of(seen_at: datetime | None) -> int:
    """Return the days of silence to announce: 12, 10, or 0 for none."""
    silent = timezone.now() - seen_at if seen_at else timedelta()
    return next((days for days in (ACTION_DAYS, WARN_DAYS) if silent >= timedelta(days=days)), 0)
