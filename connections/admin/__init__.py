"""Django admin of the connections: the list, the live page, the history and the workers."""

from connections.admin.connection import ConnectionAdmin
from connections.admin.history import ConnectionEventAdmin, PairingAttemptAdmin
from connections.admin.workers import WorkerAdmin

__all__ = ["ConnectionAdmin", "ConnectionEventAdmin", "PairingAttemptAdmin", "WorkerAdmin"]
