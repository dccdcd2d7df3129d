"""Why a request about a removal is refused."""

from __future__ import annotations

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

LOGOUT_IS_OVER = _("The logout at WhatsApp is over: there is nothing to decide any more.")
WRONG_NAME = _("This is not the name of the organization.")


class NothingToDecide(Exception):
    """The removal does not wait for a logout."""

    def __init__(self) -> None:
        super().__init__(gettext(LOGOUT_IS_OVER))
