"""Requests about webhooks that are refused, with what the API answers."""

from __future__ import annotations

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from messaging.refusals import MessageRefused
from outbound.errors import AddressRefused


class WebhookRefused(MessageRefused):
    """A request about webhooks that changes nothing."""


class TooManyWebhooks(WebhookRefused):
    code = "too_many_webhooks"
    text = _("There are as many webhooks as there may be. Delete one first.")


class NotVerified(WebhookRefused):
    """The address did not confirm the verify token. `why`: what it did instead."""

    status = 400
    code = "not_verified"
    text = _("The address did not confirm the verify token: {why}.")

    def __init__(self, why: str) -> None:
        super().__init__()
        self.why = why

    @property
    def sentence(self) -> str:
        return gettext(self.text).format(why=self.why)


class TooManyVerifications(WebhookRefused):
    """The address was not asked: so many other servers are waited for already."""

    status = 429
    code = "too_many_verifications"
    text = _(
        "Too many requests to other servers are under way, so the address was not asked. Try again "
        "in a few seconds."
    )


class BadAddress(WebhookRefused):
    status = 400
    code = "invalid"

    @property
    def sentence(self) -> str:
        return f"url: {AddressRefused().sentence}"


class UnknownEvents(WebhookRefused):
    """A replay of events that are not in the log."""

    status = 400
    code = "no_events"
    text = _("There are no such events to send. Those that were deleted cannot be sent again.")


class ReplayRunning(WebhookRefused):
    code = "replay_running"
    text = _("A replay is running. Wait until it has ended.")


class NotResendable(WebhookRefused):
    code = "not_resendable"
    text = _("Only a delivery that has ended can be sent again.")


class EventDeleted(WebhookRefused):
    code = "event_deleted"
    text = _("The event was deleted from the log, so it cannot be sent again.")


class TooManyTests(WebhookRefused):
    status = 429
    code = "too_many_tests"
    text = _("Too many events are being sent by hand. Wait until they have left.")
