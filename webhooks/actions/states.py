"""Changes of an endpoint's state, by people and by the service."""

from __future__ import annotations

import logging

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from events import troubles
from events.troubles import TroubleReport
from organizations.access import Actor
from organizations.audit import Action, log_audit
from webhooks.models import Endpoint

logger = logging.getLogger(__name__)

State, Reason = Endpoint.State, Endpoint.Reason

ACTIONS = {
    State.ENABLED: Action.WEBHOOK_ENABLED,
    State.PAUSED: Action.WEBHOOK_PAUSED,
    State.DISABLED: Action.WEBHOOK_DISABLED,
}

TROUBLE = "webhook"
"""The kind of trouble that people are told of: a webhook that the service has switched off."""
TROUBLES = {
    Reason.MAKER_LOST_RIGHT: _(
        "The webhook to {host} is paused: whoever added it lost the right to it."
    ),
    Reason.GONE: _("The webhook to {host} is turned off: the server answered 410 Gone."),
    Reason.FAILING: _("The webhook to {host} is turned off: it failed for five days."),
}
NEXT_STEP = _("Its events wait. Turn it on when it can take them, and replay what it missed.")


def change_state(endpoint: Endpoint, state: Endpoint.State, reason: str, actor: Actor) -> None:
    """Save a state of an endpoint, which is locked, and put it into the audit.

    The caller saves other fields first; workers that hold the endpoint notice its new revision.
    """
    endpoint.state, endpoint.reason = state, reason
    endpoint.state_since = timezone.now()
    endpoint.revision += 1
    endpoint.save(update_fields=["state", "reason", "state_since", "revision"])
    detail = f"{endpoint.host} ({reason})" if reason else endpoint.host
    log_audit(ACTIONS[state], endpoint.organization, actor, detail)
    _report(endpoint)
    logger.info(
        "the state of a webhook changed",
        extra={"webhook": endpoint.public_id, "state": str(state), "reason": str(reason)},
    )


def _report(endpoint: Endpoint) -> None:
    """Report a webhook that the service has switched off, or that a person has taken care of."""
    key, organization_id = endpoint.public_id, endpoint.organization_id
    sentence = TROUBLES.get(Reason(endpoint.reason)) if endpoint.reason else None
    if sentence is None:
        troubles.end(organization_id, TROUBLE, key, recovered=False)
        return
    before = [] if organization_id is None else [organization_id]
    troubles.begin(
        TroubleReport(
            organization_id,
            TROUBLE,
            sentence,
            NEXT_STEP,
            reverse("webhook", args=[*before, key]),
            key,
            {"host": endpoint.host},
        )
    )
