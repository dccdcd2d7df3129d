"""The models of webhooks: endpoints, their cursors in the logs, deliveries, attempts, totals."""

from webhooks.models.cursors import Cursor
from webhooks.models.deliveries import Attempt, Delivery
from webhooks.models.endpoints import Endpoint
from webhooks.models.totals import BOUNDS, Total

__all__ = ["BOUNDS", "Attempt", "Cursor", "Delivery", "Endpoint", "Total"]
