"""Django admin of the connections: the live page of each, and what has happened to them."""

from connections.admin.connection import ConnectionAdmin
from connections.admin.history import ConnectionEventAdmin, PairingAttemptAdmin
from connections.admin.workers import WorkerAdmin

__all__ = ["ConnectionAdmin", "ConnectionEventAdmin", "PairingAttemptAdmin", "WorkerAdmin"]
