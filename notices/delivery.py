"""Sends one notice: by mail or to a chat."""

from __future__ import annotations

import smtplib
from collections.abc import Callable
from functools import partial

from django.conf import settings
from django.core.mail import EmailMultiAlternatives

from notices.actions import sending
from notices.failures import Failure, SendingFailed, SendingPostponed
from notices.links import is_configured
from notices.messages import ChatMessage, build_chat_message, build_mail
from notices.models import Address, Notice
from organizations.encryption import Undecryptable

Send = Callable[[], None]


def prepare(notice: Notice) -> Send | None:
    """Return what sends a notice without the database, None if it is not to be sent any more.

    Raises SendingFailed and SendingPostponed.
    """
    try:
        troubles = sending.troubles_of(notice)
        if notice.kind == Notice.Kind.RECOVERY:
            sending.give_back(notice, troubles)
        if not sending.is_wanted(notice, troubles):
            return None
        assert notice.address is not None
        if until := sending.quiet_until(notice):
            raise SendingPostponed(until)
        if not is_configured():
            raise SendingFailed(Failure.NOT_CONFIGURED)
        if notice.address.kind == Address.Kind.MAIL:
            if not settings.EMAIL_URL:
                raise SendingFailed(Failure.NOT_CONFIGURED)
            return partial(send_mail, build_mail(notice, troubles))
        return partial(send_to_chat, build_chat_message(notice, troubles))
    except Undecryptable:
        raise SendingFailed(Failure.UNREADABLE, lasting=True) from None


def send_mail(mail: EmailMultiAlternatives) -> None:
    """Send a mail. Raises SendingFailed, without what the server says: it may name the address."""
    try:
        mail.send()
    except smtplib.SMTPAuthenticationError as error:
        raise SendingFailed(Failure.MAIL_LOGIN, error.smtp_code) from None
    except smtplib.SMTPRecipientsRefused as error:
        code = max(code for code, _text in error.recipients.values())
        raise SendingFailed(Failure.MAIL_REFUSED, code, lasting=code >= 500) from None
    except smtplib.SMTPResponseException as error:
        raise SendingFailed(Failure.MAIL_FAILED, max(error.smtp_code, 0)) from None
    except smtplib.SMTPServerDisconnected:
        raise SendingFailed(Failure.MAIL_UNREACHABLE) from None
    except smtplib.SMTPException:
        raise SendingFailed(Failure.MAIL_FAILED) from None
    except OSError:
        raise SendingFailed(Failure.MAIL_UNREACHABLE) from None


def send_to_chat(message: ChatMessage) -> None:
    """Send a message to a chat. Raises SendingFailed."""
    # It takes a quarter of a second to import.
    from notices import chats

    chats.send(message.url, message.title, message.body)
