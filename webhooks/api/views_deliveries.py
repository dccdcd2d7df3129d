"""`webhooks/{id}/deliveries`: what became of each event, with every attempt."""

from __future__ import annotations

from django.db.models import QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _
from drf_spectacular.utils import extend_schema_view
from rest_framework import status
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from events.models import Event
from messaging.api.serializers import cursor_of
from organizations.access import Permission
from webhooks.actions import repeats
from webhooks.api.representation import delivery_json, whole_delivery_json
from webhooks.api.schema_webhooks import ORGANIZATION
from webhooks.api.serializers import DeliveryQuery
from webhooks.api.views import WebhookView
from webhooks.models import Delivery, Endpoint
from webhooks.rights import Right

NO_DELIVERY = _("There is no such delivery.")


class DeliveryView(WebhookView):
    """A view of the deliveries of an endpoint."""

    def deliveries(self, endpoint: Endpoint) -> QuerySet[Delivery]:
        """Return the deliveries of an endpoint, with all that they are told with."""
        rows = Delivery.objects.filter(endpoint=endpoint)
        return rows.select_related("cursor", "original", "organization", "endpoint__organization")

    def delivery(self, endpoint: Endpoint, delivery_id: str) -> Delivery:
        """Return a delivery of an endpoint. Raises NotFound."""
        found = self.deliveries(endpoint).filter(public_id=delivery_id).first()
        if found is None:
            raise NotFound(gettext(NO_DELIVERY))
        return found

    def may_read(self, delivery: Delivery) -> bool:
        """Return whether the caller may read what was sent; a test carries nobody's texts."""
        organization = delivery.organization
        return organization is None or self.caller.may(Permission.READ_MESSAGES, organization)


@extend_schema_view(get=ORGANIZATION["list_deliveries"])
class DeliveriesView(DeliveryView):
    """`…/webhooks/{webhook}/deliveries`."""

    def get(
        self, request: Request, webhook_id: str, organization_id: int | None = None
    ) -> Response:
        endpoint = self.endpoint(organization_id, webhook_id, Right.SEE)
        query = self.query(DeliveryQuery)
        rows, size = self.deliveries(endpoint), query["pageSize"]
        if "state" in query:
            rows = rows.filter(state=query["state"])
        if "cursor" in query:
            rows = rows.filter(pk__lt=query["cursor"])
        found = list(rows.order_by("-pk")[: size + 1])
        next_url = None
        if len(found) > size:
            url = request.build_absolute_uri()
            next_url = replace_query_param(url, "cursor", cursor_of(found[size - 1].pk))
        return Response({"next": next_url, "results": list(map(delivery_json, found[:size]))})


@extend_schema_view(get=ORGANIZATION["read_delivery"])
class OneDeliveryView(DeliveryView):
    """`…/webhooks/{webhook}/deliveries/{delivery}`."""

    def get(
        self,
        request: Request,
        webhook_id: str,
        delivery_id: str,
        organization_id: int | None = None,
    ) -> Response:
        endpoint = self.endpoint(organization_id, webhook_id, Right.SEE)
        delivery = self.delivery(endpoint, delivery_id)
        texts = self.may_read(delivery)
        attempts = delivery.attempts.order_by("number")
        if not texts:
            attempts = attempts.defer("answer")
        told = whole_delivery_json(
            delivery, attempts, _event(delivery) if texts else None, texts=texts
        )
        return Response({"success": True, **told})


@extend_schema_view(post=ORGANIZATION["resend_delivery"])
class ResendView(DeliveryView):
    """`…/webhooks/{webhook}/deliveries/{delivery}/resend`."""

    def post(
        self,
        request: Request,
        webhook_id: str,
        delivery_id: str,
        organization_id: int | None = None,
    ) -> Response:
        endpoint = self.endpoint(organization_id, webhook_id, Right.REPEAT)
        delivery = self.delivery(endpoint, delivery_id)
        new = repeats.resend(delivery, self.caller.actor)
        told = {"success": True, **delivery_json(new)}
        return Response(told, status=status.HTTP_202_ACCEPTED)


def _event(delivery: Delivery) -> Event | None:
    """Return the event of a delivery as it is now, None when it was deleted or for a test."""
    rows = Event.objects.filter(organization=delivery.organization_id, type=delivery.type)
    return rows.filter(sequence=delivery.sequence).first()
