"""The models of messaging: contacts, messages, media, and each organization's settings."""

from messaging.models.contacts import Contact
from messaging.models.days import MessageDay
from messaging.models.identifiers import PUBLIC_ID_PATTERN, new_public_id, storable_id
from messaging.models.media import Media
from messaging.models.messages import (
    ABOUT_MESSAGES,
    ACCEPTED_STATES,
    ARRIVED_STATES,
    CANCELLABLE_STATES,
    FAILED_STATES,
    FILLABLE_STATES,
    IN_QUEUE_STATES,
    MEDIA_MESSAGES,
    NEVER_LEFT_STATES,
    UNSENT_STATES,
    EarlyReceipt,
    HandledId,
    HistoryId,
    IdempotencyKey,
    Message,
)
from messaging.models.newcomers import PutAwayCard
from messaging.models.settings import MessagingSettings, Outbox

__all__ = [
    "ABOUT_MESSAGES",
    "ACCEPTED_STATES",
    "ARRIVED_STATES",
    "CANCELLABLE_STATES",
    "FAILED_STATES",
    "FILLABLE_STATES",
    "IN_QUEUE_STATES",
    "MEDIA_MESSAGES",
    "NEVER_LEFT_STATES",
    "UNSENT_STATES",
    "PUBLIC_ID_PATTERN",
    "Contact",
    "EarlyReceipt",
    "HandledId",
    "HistoryId",
    "IdempotencyKey",
    "Media",
    "Message",
    "MessageDay",
    "MessagingSettings",
    "Outbox",
    "PutAwayCard",
    "new_public_id",
    "storable_id",
]
