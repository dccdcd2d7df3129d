"""Why an address cannot be added, for people."""

from __future__ import annotations

from enum import StrEnum

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _


class Problem(StrEnum):
    """A sentence for people."""

    NOT_CONFIGURED = _(
        "Notices cannot be sent yet: an administrator has to set SITE_URL, and EMAIL_URL for mails."
    )
    NO_MAIL = _(
        "No mails can be sent yet: an administrator has to set EMAIL_URL. A chat can be added."
    )
    BAD_CHAT = _(
        "This is no address of a chat that can be used. Write it as its service shows it, or as "
        "Apprise does, without other parameters."
    )
    SEVERAL_CHATS = _("This names several chats. Add an address for each of them.")
    BAD_MAIL = _("This is no mail address.")
    TOO_MANY = _("You have as many addresses as are possible. Remove one first.")
    TOO_OFTEN = _("So many messages were sent that this has to wait. Try again in an hour.")


class NoticeRefused(Exception):
    """A request about notices that is refused."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.name)
        self.problem = problem

    @property
    def sentence(self) -> str:
        """Why, in the active language."""
        return gettext(self.problem.value)
