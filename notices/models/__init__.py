"""The models of notices."""

from notices.models.addresses import Address, Choice, Preferences
from notices.models.notices import Notice, Telling, Total
from notices.models.troubles import PlanLock, Trouble

__all__ = [
    "Address",
    "Choice",
    "Notice",
    "PlanLock",
    "Preferences",
    "Telling",
    "Total",
    "Trouble",
]
