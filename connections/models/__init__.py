"""The models: connections, attempts, events, workers, bulk runs, owner links, proxies and so on."""

from connections.models.bulk import BulkItem, BulkRun
from connections.models.core import (
    DETAIL_LENGTH,
    Connection,
    ConnectionEvent,
    ConnectionManager,
    Method,
    PairingAttempt,
)
from connections.models.owner_links import OwnerLink
from connections.models.proxies import OrganizationProxy
from connections.models.self_tests import SelfTest
from connections.models.workers import Worker, Workforce

__all__ = [
    "DETAIL_LENGTH",
    "BulkItem",
    "BulkRun",
    "Connection",
    "ConnectionEvent",
    "ConnectionManager",
    "Method",
    "OrganizationProxy",
    "OwnerLink",
    "PairingAttempt",
    "SelfTest",
    "Worker",
    "Workforce",
]
