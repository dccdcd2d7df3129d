"""Delivers webhooks: a duty that workers share."""

from webhooks.worker.deliveries import WebhookDeliveries

__all__ = ["WebhookDeliveries"]
