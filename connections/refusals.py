"""The refusals of requests: each with the API's code and status, and the text of each page.

The API answers with `code`, `status` and `str(error)` (whatsapp_orgs/api.py), the admin's pages
with `page_message`, the owner's page with `owner_message`, and a bulk run saves `problem`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from math import ceil

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_noop as _

from connections.detail_messages import time_text
from connections.durations import format_duration
from organizations.phone_numbers import format_phone_number


class RequestRefused(Exception):
    """A request that cannot be carried out now.

    `problem`: a value of BulkItem.Problem; "" if a bulk run cannot get this refusal.
    `wait`: the seconds after which to try again, if that helps.
    """

    code = ""
    status = 409
    text = ""
    problem = ""
    wait: int | None = None

    def __init__(self) -> None:
        super().__init__(self.text)

    @property
    def page_message(self) -> str:
        """The text on the admin's pages, in the active language."""
        return gettext(self.text)

    @property
    def owner_message(self) -> str:
        """The text on the owner's page; "" if the page itself shows what its reader may know."""
        return ""


class AlreadyConnected(RequestRefused):
    """There is nothing to reconnect."""

    code = "already_connected"
    text = _("WhatsApp is already connected")
    problem = "connected"


class OrganizationInactive(RequestRefused):
    """The organization is deactivated."""

    code = "organization_inactive"
    text = _("This organization is deactivated.")
    problem = "inactive"


class UnexpectedNumber(RequestRefused):
    """A code was requested for another number than the organization expects."""

    code = "unexpected_number"
    text = _(
        "This organization expects another number. Use its phone, or change the expected number."
    )

    def __init__(self, expected: str = "") -> None:
        super().__init__()
        self.expected = expected

    @property
    def page_message(self) -> str:
        if not self.expected:
            return super().page_message
        text = gettext(
            "This organization expects {number}. Use that phone, or change the expected number."
        )
        return text.format(number=format_phone_number(self.expected))

    @property
    def owner_message(self) -> str:
        return gettext("WhatsApp cannot be connected at the moment.")


class TemporarilyBanned(RequestRefused):
    """WhatsApp has banned the number until a time; trying earlier prolongs the ban."""

    code = "temporarily_banned"
    problem = "banned"

    def __init__(self, until: datetime) -> None:
        time = until.isoformat(timespec="seconds")
        Exception.__init__(
            self,
            f"WhatsApp has banned this number until {time}. It comes back by itself then; trying "
            "earlier makes it longer.",
        )
        self.until = until
        self.wait = max(1, ceil((until - timezone.now()).total_seconds()))

    @property
    def page_message(self) -> str:
        text = gettext(
            "WhatsApp has banned this number until {time}. It comes back by itself then; trying "
            "earlier makes it longer."
        )
        return text.format(time=time_text(self.until))


class NothingToCancel(RequestRefused):
    """No phone is being linked. The API answers 200 all the same."""

    code = "nothing_to_cancel"
    text = _("No phone is being linked right now.")


class NotConnected(RequestRefused):
    """A test message was requested while the number is not connected."""

    code = "not_connected"
    text = _("WhatsApp is not connected, so no test message can be sent.")

    def __init__(self) -> None:
        Exception.__init__(self, gettext(self.text))


class LinkOver(RequestRefused):
    """A link for the phone's owner is expired, revoked, used by another browser or unknown."""

    status = 410
    text = _("This link is no longer valid. Ask for a new one.")

    @property
    def owner_message(self) -> str:
        return gettext(self.text)


class TooManyRequests(RequestRefused):
    """Too many attempts. `wait`: the seconds until another one is allowed."""

    code = "too_many_requests"
    status = 429
    problem = "too_many"
    wait: int

    def __init__(self, wait: int) -> None:
        Exception.__init__(self, self.message(wait))
        self.wait = wait

    @staticmethod
    def message(wait: int) -> str:
        """Return the API's message, in the active language."""
        text = ngettext(
            "Too many reconnects in a short time; WhatsApp bans numbers for that. "
            "Try again in {wait} second.",
            "Too many reconnects in a short time; WhatsApp bans numbers for that. "
            "Try again in {wait} seconds.",
            wait,
        )
        return text.format(wait=wait)

    @property
    def duration(self) -> str:
        return format_duration(timedelta(seconds=self.wait))

    @property
    def page_message(self) -> str:
        text = gettext(
            "Too many reconnects in a short time; WhatsApp bans numbers for that. Try again in "
            "{duration}."
        )
        return text.format(duration=self.duration)

    @property
    def owner_message(self) -> str:
        return too_many_attempts(self.wait)


class OwnerLinkMadeMeanwhile(RequestRefused):
    """A link was made after the page that asks for one was shown; a new one would revoke it."""

    code = "link_made_meanwhile"

    def __init__(self, made_at: datetime, by: str) -> None:
        Exception.__init__(self, "A link was made for it meanwhile.")
        self.made_at, self.by = made_at, by

    @property
    def page_message(self) -> str:
        text = gettext("Link made by {name}: {time}")
        time = date_format(localtime(self.made_at), "TIMESTAMP_FORMAT")
        return text.format(name=self.by, time=time)


class TooManyOwnerLinks(TooManyRequests):
    """Too many links for the owner."""

    @staticmethod
    def message(wait: int) -> str:
        return f"Too many links in a short time. Try again in {wait} seconds."

    @property
    def page_message(self) -> str:
        text = gettext("Too many links in a short time. Try again in {duration}.")
        return text.format(duration=self.duration)


class TooManySelfTests(TooManyRequests):
    """A test message is being sent, or there were too many."""

    @staticmethod
    def message(wait: int) -> str:
        text = ngettext(
            "Too many test messages. Try again in {wait} second.",
            "Too many test messages. Try again in {wait} seconds.",
            wait,
        )
        return text.format(wait=wait)

    @property
    def page_message(self) -> str:
        return str(self)


class ProxyIsTried(TooManyRequests):
    """The organization's proxy is being tried already."""

    @staticmethod
    def message(wait: int) -> str:
        text = ngettext(
            "The proxy is being tried already. Try again in {wait} second.",
            "The proxy is being tried already. Try again in {wait} seconds.",
            wait,
        )
        return text.format(wait=wait)

    @property
    def page_message(self) -> str:
        return str(self)


def too_many_attempts(seconds: int) -> str:
    """Return the text on the owner's page after too many attempts of any kind."""
    text = gettext("Too many attempts. Try again in {duration}.")
    return text.format(duration=format_duration(timedelta(seconds=seconds)))
