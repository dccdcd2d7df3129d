"""The models of webhooks: endpoints, their cursors in the logs, deliveries and attempts."""

from webhooks.models.cursors import Cursor
from webhooks.models.deliveries import Attempt, Delivery
from webhooks.models.endpoints import Endpoint

__all__ = ["Attempt", "Cursor", "Delivery", "Endpoint"]
