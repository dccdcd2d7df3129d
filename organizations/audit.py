"""The audit log: who changed an organization, its members or its tokens, and from where."""

from __future__ import annotations

from organizations.access import Actor
from organizations.models import AuditEntry, Organization

Action = AuditEntry.Action
DETAIL_LENGTH = 500
MIN_REASON, MAX_REASON = 5, 200
"""The length of a reason that an administrator gives for reading what is others'."""


def log_audit(
    action: Action, organization: Organization | None, actor: Actor, detail: str = ""
) -> None:
    """Add an audit entry. `organization` is None for changes that do not concern a single one."""
    AuditEntry.objects.create(
        organization=organization,
        action=action,
        detail=detail[:DETAIL_LENGTH],
        **actor.columns,
    )
