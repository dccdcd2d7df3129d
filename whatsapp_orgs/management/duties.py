"""The duties of a worker, beside the links that it holds."""

from connections.worker.duties import Duty
from notices.worker import NoticeDuty
from removal.worker import Removals
from webhooks.worker import WebhookDeliveries


def duties() -> list[Duty]:
    """Return new ones of all duties."""
    return [WebhookDeliveries(), NoticeDuty(), Removals()]
