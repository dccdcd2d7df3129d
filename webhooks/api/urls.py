"""The API routes of webhooks, below an organization and at the root."""

from django.urls import path

import messaging.converters  # noqa: F401
from webhooks.api import views, views_deliveries, views_everywhere

WEBHOOK = "webhooks/<public_id:webhook_id>"
DELIVERY = f"{WEBHOOK}/deliveries/<public_id:delivery_id>"

organization_urlpatterns = [
    path("webhooks", views.WebhooksView.as_view(), name="api-webhooks"),
    path(WEBHOOK, views.OneWebhookView.as_view(), name="api-webhook"),
    path(f"{WEBHOOK}/enable", views.EnableView.as_view(), name="api-webhook-enable"),
    path(f"{WEBHOOK}/rotate", views.RotateView.as_view(), name="api-webhook-rotate"),
    path(f"{WEBHOOK}/test", views.TestView.as_view(), name="api-webhook-test"),
    path(f"{WEBHOOK}/replay", views.ReplayView.as_view(), name="api-webhook-replay"),
    path(
        f"{WEBHOOK}/deliveries",
        views_deliveries.DeliveriesView.as_view(),
        name="api-webhook-deliveries",
    ),
    path(DELIVERY, views_deliveries.OneDeliveryView.as_view(), name="api-webhook-delivery"),
    path(f"{DELIVERY}/resend", views_deliveries.ResendView.as_view(), name="api-webhook-resend"),
]

installation_urlpatterns = [
    path("webhooks", views_everywhere.WebhooksView.as_view(), name="api-all-webhooks"),
    path(WEBHOOK, views_everywhere.OneWebhookView.as_view(), name="api-all-webhook"),
    path(f"{WEBHOOK}/enable", views_everywhere.EnableView.as_view(), name="api-all-enable"),
    path(f"{WEBHOOK}/rotate", views_everywhere.RotateView.as_view(), name="api-all-rotate"),
    path(f"{WEBHOOK}/test", views_everywhere.TestView.as_view(), name="api-all-test"),
    path(f"{WEBHOOK}/replay", views_everywhere.ReplayView.as_view(), name="api-all-replay"),
    path(
        f"{WEBHOOK}/deliveries",
        views_everywhere.DeliveriesView.as_view(),
        name="api-all-deliveries",
    ),
    path(DELIVERY, views_everywhere.OneDeliveryView.as_view(), name="api-all-delivery"),
    path(f"{DELIVERY}/resend", views_everywhere.ResendView.as_view(), name="api-all-resend"),
]
