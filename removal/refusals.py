"""Why a request about a removal is refused."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from organizations.audit_labels import CONTENT_LABELS

LOGOUT_IS_OVER = _("The logout at WhatsApp is over: there is nothing to decide any more.")
WRONG_NAME = _("This is not the name of the organization.")
HISTORY_TOO_SHORT = _("The page shows {days} days, so keep at least so many, or 0 for ever.")
DELETES_AT_ONCE = _(
    'This would delete in the next minutes: {found}. To do so, send it with "deleteOlder": true.'
)
REASON_MISSING = _("Write why you need to read them.")


class HistoryTooShort(ValueError):
    """The days to keep the history are fewer than those that the pages show."""

    def __init__(self, days: int) -> None:
        super().__init__(gettext(HISTORY_TOO_SHORT).format(days=days))


class WouldDelete(Exception):
    """New days would delete something at once, which was not confirmed."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        found = ", ".join(f"{gettext(CONTENT_LABELS[name])}: {counts[name]}" for name in counts)
        super().__init__(gettext(DELETES_AT_ONCE).format(found=found))


class NothingToDecide(Exception):
    """The removal does not wait for a logout."""

    def __init__(self) -> None:
        super().__init__(gettext(LOGOUT_IS_OVER))
