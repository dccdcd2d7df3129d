"""How far a removal has come, for people and programs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext as _

from connections.detail_messages import translate_detail
from connections.lifecycle import Reason
from connections.models import Connection, Worker, Workforce
from organizations.audit_labels import CONTENT_LABELS
from removal.models import ERROR_PROBLEM, STORAGE_PROBLEM, Removal, is_logging_out


class Stage(StrEnum):
    """What is done at the moment."""

    LOGGING_OUT = "logging_out"
    DELETING = "deleting"
    REMOVED = "removed"


@dataclass(frozen=True)
class RemovalStatus:
    """A removal, its stage, and in words what keeps it from going on; "" for nothing."""

    removal: Removal
    stage: Stage
    problem: str

    @property
    def is_stuck(self) -> bool:
        """Whether the logout failed, so that somebody may decide not to wait for it."""
        waits = self.stage == Stage.LOGGING_OUT and self.removal.logout_required
        return waits and bool(self.problem)

    def json(self) -> dict[str, Any]:
        """Return it as the API tells it."""
        removal = self.removal
        return {
            "organization": removal.organization_id,
            "name": removal.name,
            "state": self.stage,
            "problem": self.problem or None,
            "logout": removal.logout,
            "waitForLogout": removal.logout_required,
            "requestedAt": removal.requested_at.isoformat(),
            "requestedBy": removal.actor,
            "finishedAt": removal.finished_at and removal.finished_at.isoformat(),
            "deleted": counted(removal),
            "mediaBytesDeleted": removal.bytes_deleted,
        }


def counted(removal: Removal) -> dict[str, int]:
    """Return how many rows of each kind that people know are deleted so far."""
    return {name: removal.counts.get(name, 0) for name in CONTENT_LABELS}


def status_of(removal: Removal) -> RemovalStatus:
    """Return the status of a removal that was just read."""
    if removal.finished_at is not None:
        return RemovalStatus(removal, Stage.REMOVED, "")
    connection = Connection.objects.filter(pk=removal.organization_id).first()
    logging_out = connection is not None and is_logging_out(connection)
    stage = Stage.LOGGING_OUT if logging_out else Stage.DELETING
    return RemovalStatus(removal, stage, _problem(removal, connection if logging_out else None))


def _problem(removal: Removal, leaving: Connection | None) -> str:
    """Return what keeps a removal from going on. `leaving`: its connection while it logs out."""
    if Worker.workforce() == Workforce.ABSENT:
        return _("No worker runs. It goes on as soon as one does.")
    if removal.problem == STORAGE_PROBLEM:
        return _("The storage of files does not answer. It is tried again.")
    if removal.problem == ERROR_PROBLEM:
        return _("An error keeps it from going on; the worker has logged it. It is tried again.")
    if leaving is None:
        return ""
    if not leaving.logout_pending and Worker.objects.alive().of_earlier_version().exists():
        return _(
            "A worker of an earlier version runs, which would delete the credentials without "
            "waiting. The logout begins when the upgrade is over."
        )
    if leaving.reason == Reason.DISCONNECTING:
        return translate_detail(leaving.detail)
    return leaving.reason_text.sentence
