"""`/webhooks`: the endpoints of all organizations, for administrators of the service."""

from drf_spectacular.utils import extend_schema_view

from webhooks.api import views, views_deliveries
from webhooks.api.schema_webhooks import EVERYWHERE


@extend_schema_view(get=EVERYWHERE["list_webhooks"], post=EVERYWHERE["create_webhook"])
class WebhooksView(views.WebhooksView):
    """`/webhooks`."""


@extend_schema_view(
    get=EVERYWHERE["read_webhook"],
    patch=EVERYWHERE["change_webhook"],
    delete=EVERYWHERE["delete_webhook"],
)
class OneWebhookView(views.OneWebhookView):
    """`/webhooks/{webhook}`."""


@extend_schema_view(post=EVERYWHERE["enable_webhook"])
class EnableView(views.EnableView):
    """`/webhooks/{webhook}/enable`."""


@extend_schema_view(post=EVERYWHERE["rotate_secret"])
class RotateView(views.RotateView):
    """`/webhooks/{webhook}/rotate`."""


@extend_schema_view(post=EVERYWHERE["test_webhook"])
class TestView(views.TestView):
    """`/webhooks/{webhook}/test`."""


@extend_schema_view(post=EVERYWHERE["replay_events"])
class ReplayView(views.ReplayView):
    """`/webhooks/{webhook}/replay`."""


@extend_schema_view(get=EVERYWHERE["list_deliveries"])
class DeliveriesView(views_deliveries.DeliveriesView):
    """`/webhooks/{webhook}/deliveries`."""


@extend_schema_view(get=EVERYWHERE["read_delivery"])
class OneDeliveryView(views_deliveries.OneDeliveryView):
    """`/webhooks/{webhook}/deliveries/{delivery}`."""


@extend_schema_view(post=EVERYWHERE["resend_delivery"])
class ResendView(views_deliveries.ResendView):
    """`/webhooks/{webhook}/deliveries/{delivery}/resend`."""
