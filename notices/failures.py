"""Why a notice could not be sent."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.utils.translation import gettext_lazy as lazy


class Failure(models.TextChoices):
    """What happened; the sentence is for people and names neither server nor address."""

    NOT_CONFIGURED = "not_configured", lazy("EMAIL_URL or SITE_URL is not set.")
    MAIL_UNREACHABLE = "mail_unreachable", lazy("The mail server cannot be reached.")
    MAIL_LOGIN = "mail_login", lazy("The mail server refuses our name and password.")
    MAIL_REFUSED = "mail_refused", lazy("The mail server refuses this address.")
    MAIL_FAILED = "mail_failed", lazy("The mail server did not take the mail.")
    CHAT_UNREACHABLE = "chat_unreachable", lazy("The chat service cannot be reached.")
    CHAT_REFUSED = "chat_refused", lazy("The chat service refuses it.")
    UNREADABLE = "unreadable", lazy("The stored address cannot be decrypted any more.")


class SendingFailed(Exception):
    """A notice that did not leave. `status`: what a server answered, or 0.

    `lasting`: it would fail again.
    """

    def __init__(self, failure: Failure, status: int = 0, *, lasting: bool = False) -> None:
        super().__init__(failure.value)
        self.failure, self.status, self.lasting = failure, status, lasting


class SendingPostponed(Exception):
    """A notice that is to be sent at another time."""

    def __init__(self, until: datetime) -> None:
        super().__init__(until)
        self.until = until
