"""The texts of the live page's scripts, which contain none themselves."""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from connections.durations import SECONDS, UNITS


def page_texts() -> dict[str, object]:
    """Return the texts in the active language. The scripts fill in the braces."""
    return {
        "units": [[size, _(text)] for size, text in (*UNITS, (1, SECONDS))],
        "lasted": _("for {duration}"),
        "lastsStill": _("for {duration} so far"),
        "by": _("by {who}"),
        # Elsewhere the verb says how many.
        "secondLeft": ngettext("{count} s left", "{count} s left", 1),
        "secondsLeft": ngettext("{count} s left", "{count} s left", 2),
        "timeLeft": _("{duration} left"),
        "codeNumber": _("Code {number} of {count}"),
        "expired": _("This code has expired."),
        "nextCode": _("Getting the next code…"),
        "newCode": _("A new code is on its way"),
        "nextTry": _("Next try in {duration}"),
        "tryingNow": _("Trying now…"),
        "banEnds": _("The ban ends in {duration}: {time}"),
        "copy": _("Copy code"),
        "copied": _("Copied"),
        "notCopied": _("Copying is not allowed here. The code is selected now."),
        "interrupted": _("Live updates are interrupted. Reconnecting…"),
        "notFound": _("This organization was not found, or is no longer yours to see."),
        "tooOld": _("This page is too old to be trusted. Reload it and try again."),
        "unreachable": _("The server cannot be reached. Try again when live updates are back."),
        "loggedOut": _("Your session has ended. Log in again."),
        "serverProblem": _("The server had a problem ({status})."),
    }
