"""Django admin of the connections: the list, the live page, the history, proxies, workers."""

from connections.admin.connection import ConnectionAdmin
from connections.admin.history import ConnectionEventAdmin, PairingAttemptAdmin
from connections.admin.proxies import OrganizationProxyAdmin
from connections.admin.workers import WorkerAdmin

__all__ = [
    "ConnectionAdmin",
    "ConnectionEventAdmin",
    "OrganizationProxyAdmin",
    "PairingAttemptAdmin",
    "WorkerAdmin",
]
