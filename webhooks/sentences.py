"""What the API and the pages say about endpoints, deliveries and attempts."""

from __future__ import annotations

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_noop as _

from connections.detail_messages import time_text
from outbound.errors import SENTENCES as OUTBOUND_SENTENCES
from outbound.errors import Kind
from webhooks.models import Delivery, Endpoint
from webhooks.outcomes import Failure
from webhooks.schedule import MAX_TRIES

Reason = Endpoint.Reason

REASONS = {
    Reason.PAUSED_BY_PERSON: _("It is paused. Events wait until it is turned on."),
    Reason.MAKER_LOST_RIGHT: _(
        "It is paused, because whoever made it may not do so any more, or their token has ended. "
        "An owner who turns it on answers for it from then on."
    ),
    Reason.NOT_VERIFIED: _(
        "It is paused until its address confirms the verify token. Give the token to your "
        "software, then turn it on."
    ),
    Reason.GONE: _("It is turned off, because the server answered that it is gone (410)."),
    Reason.FAILING: _("It is turned off, because every attempt failed for five days."),
}
FAILURES = {
    Failure.STATUS: _("The server answered with status {status}."),
    Failure.REDIRECT: _("The server sent us elsewhere ({status}), and redirects are not followed."),
    Failure.GONE: _("The server answered that it is gone (410)."),
    Failure.INTERNAL: _("A fault in this service. Its log says more."),
}


def state_sentence(endpoint: Endpoint) -> str:
    """Return why nothing is sent, "" while it is enabled."""
    return gettext(REASONS[Reason(endpoint.reason)]) if endpoint.reason else ""


def failure_sentence(failure: str, status: int | None) -> str:
    """Return why an attempt failed, "" for one that did not."""
    if not failure:
        return ""
    own = {str(kind): text for kind, text in FAILURES.items()}
    text = own.get(failure) or OUTBOUND_SENTENCES[Kind(failure)]
    return gettext(text).format(status=status)


def waiting_sentence(endpoint: Endpoint, events: int, head: Delivery | None) -> str:
    """Return what waits and why. `head`: the failed delivery that later ones wait for."""
    if not events:
        return gettext("Nothing waits.")
    if endpoint.state != Endpoint.State.ENABLED:
        return ngettext(
            "{count} event waits until it is turned on.",
            "{count} events wait until it is turned on.",
            events,
        ).format(count=events)
    if head is None or head.next_at is None:
        text = ngettext("{count} event is on its way.", "{count} events are on their way.", events)
        return text.format(count=events)
    text = ngettext("{count} event waits.", "{count} events wait.", events).format(count=events)
    retry = gettext("Try {number} of {all} is at {time}.").format(
        number=head.tries + 1, all=MAX_TRIES, time=time_text(head.next_at)
    )
    return f"{text} {failure_sentence(head.failure, head.status)} {retry}"
