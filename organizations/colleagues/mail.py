"""The mail with an invitation's link. Without EMAIL_URL and SITE_URL nothing is mailed."""

from __future__ import annotations

import logging
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext

from organizations.models import ColleagueInvitation

logger = logging.getLogger(__name__)


def is_configured() -> bool:
    """Return whether mails can be sent. Their links are never built from a request's Host."""
    return bool(settings.EMAIL_URL and settings.SITE_URL)


def send(invitation: ColleagueInvitation, secret: str) -> bool:
    """Mail the link to the colleague. Return whether the server took it."""
    text = gettext(
        "Hello {name},\n\n{inviter} invites you to WhatsApp Orgs. Open this link and choose a "
        "password:\n\n{url}\n\nIt works once. You log in with {email} then.\n"
        "Valid until: {time}\n\nIf you did not expect this, do nothing.\n"
    ).format(
        name=invitation.name,
        inviter=invitation.invited_by.get_username(),
        url=f"{settings.SITE_URL}{reverse('invitation')}#{secret}",
        time=date_format(localtime(invitation.expires_at), "DATETIME_FORMAT"),
        email=invitation.email,
    )
    subject = gettext("Your invitation to WhatsApp Orgs")
    try:
        EmailMessage(subject, text, to=[invitation.email]).send()
    except (SMTPException, OSError) as error:
        # Its text may contain the address.
        logger.warning("an invitation could not be mailed", extra={"error": type(error).__name__})
        return False
    return True
