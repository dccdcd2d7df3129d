"""Changes of an endpoint's state, by people and by the service."""

from __future__ import annotations

import logging

from django.utils import timezone

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
    logger.info(
        "the state of a webhook changed",
        extra={"webhook": endpoint.public_id, "state": str(state), "reason": str(reason)},
    )
