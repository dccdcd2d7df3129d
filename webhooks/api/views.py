"""`webhooks`: endpoints of an organization, and of the installation.

Each view is mounted twice: below an organization, and at the root for the endpoints of all
organizations, where `organization_id` is None.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _
from drf_spectacular.utils import extend_schema_view
from rest_framework import status
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from organizations.api.views import CallerView
from organizations.models import Organization
from webhooks.actions import endpoints, repeats
from webhooks.api.representation import (
    delivery_json,
    endpoint_json,
    endpoints_json,
    replays_json,
)
from webhooks.api.schema_webhooks import ORGANIZATION
from webhooks.api.serializers import NewWebhook, ReplayBody, ReplayEverywhereBody, WebhookChange
from webhooks.models import Endpoint
from webhooks.rights import Right, may, require

NO_WEBHOOK = _("There is no such webhook.")


class WebhookView(CallerView):
    """A view of the webhooks of an organization, or of the installation."""

    def owner(self, organization_id: int | None, right: Right) -> Organization | None:
        """Return the organization, None for the installation.

        Raises Organization.DoesNotExist for outsiders, and PermissionDenied.
        """
        found = None if organization_id is None else self.caller.organization(organization_id)
        require(self.caller, found, right)
        return found

    def endpoint(self, organization_id: int | None, webhook_id: str, right: Right) -> Endpoint:
        """Return an endpoint on which the caller has this right. Raises NotFound as well."""
        owner = self.owner(organization_id, right)
        rows = Endpoint.objects.present().select_related("organization")
        endpoint = rows.filter(organization=owner, public_id=webhook_id).first()
        if endpoint is None:
            raise NotFound(gettext(NO_WEBHOOK))
        return endpoint

    def told(self, endpoint: Endpoint, **more: Any) -> dict[str, Any]:
        """Return an endpoint as this caller may see it."""
        whole = may(self.caller, endpoint.organization, Right.EDIT)
        return {"success": True, **endpoint_json(endpoint, whole_url=whole), **more}


@extend_schema_view(get=ORGANIZATION["list_webhooks"], post=ORGANIZATION["create_webhook"])
class WebhooksView(WebhookView):
    """`…/webhooks`."""

    def get(self, request: Request, organization_id: int | None = None) -> Response:
        owner = self.owner(organization_id, Right.SEE)
        rows = Endpoint.objects.present().filter(organization=owner).order_by("pk")
        whole = may(self.caller, owner, Right.EDIT)
        return Response({"results": endpoints_json(list(rows), whole_url=whole)})

    def post(self, request: Request, organization_id: int | None = None) -> Response:
        owner = self.owner(organization_id, Right.EDIT)
        body = self.body(NewWebhook)
        first = body.get("fromSequence")
        new = endpoints.NewEndpoint(
            url=body["url"],
            types=body.get("types", ()),
            format=body["format"],
            after=None if first is None else first - 1,
            verify_token=body.get("verifyToken", ""),
        )
        created = endpoints.create(owner, new, self.caller.actor)
        secrets = {"secret": created.secret, "verifyToken": created.verify_token}
        told = self.told(created.endpoint, **secrets)
        return Response(told, status=status.HTTP_201_CREATED)


@extend_schema_view(
    get=ORGANIZATION["read_webhook"],
    patch=ORGANIZATION["change_webhook"],
    delete=ORGANIZATION["delete_webhook"],
)
class OneWebhookView(WebhookView):
    """`…/webhooks/{webhook}`."""

    def get(
        self, request: Request, webhook_id: str, organization_id: int | None = None
    ) -> Response:
        return Response(self.told(self.endpoint(organization_id, webhook_id, Right.SEE)))

    def patch(
        self, request: Request, webhook_id: str, organization_id: int | None = None
    ) -> Response:
        body = self.body(WebhookChange, partial=True)
        right = Right.EDIT if {"url", "types"} & set(body) else Right.MANAGE
        endpoint = self.endpoint(organization_id, webhook_id, right)
        if "url" in body or "types" in body:
            endpoint = endpoints.change(
                endpoint, self.caller.actor, url=body.get("url"), types=body.get("types")
            )
        if "state" in body:
            endpoint = endpoints.pause(endpoint, self.caller.actor)
        return Response(self.told(endpoint))

    def delete(
        self, request: Request, webhook_id: str, organization_id: int | None = None
    ) -> Response:
        endpoint = self.endpoint(organization_id, webhook_id, Right.MANAGE)
        endpoints.delete(endpoint, self.caller.actor)
        return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema_view(post=ORGANIZATION["enable_webhook"])
class EnableView(WebhookView):
    """`…/webhooks/{webhook}/enable`."""

    def post(
        self, request: Request, webhook_id: str, organization_id: int | None = None
    ) -> Response:
        endpoint = self.endpoint(organization_id, webhook_id, Right.EDIT)
        return Response(self.told(endpoints.enable(endpoint, self.caller.actor)))


@extend_schema_view(post=ORGANIZATION["rotate_secret"])
class RotateView(WebhookView):
    """`…/webhooks/{webhook}/rotate`."""

    def post(
        self, request: Request, webhook_id: str, organization_id: int | None = None
    ) -> Response:
        endpoint = self.endpoint(organization_id, webhook_id, Right.EDIT)
        rotated = endpoints.rotate(endpoint, self.caller.actor)
        return Response(self.told(rotated.endpoint, secret=rotated.secret))


@extend_schema_view(post=ORGANIZATION["test_webhook"])
class TestView(WebhookView):
    """`…/webhooks/{webhook}/test`."""

    def post(
        self, request: Request, webhook_id: str, organization_id: int | None = None
    ) -> Response:
        endpoint = self.endpoint(organization_id, webhook_id, Right.REPEAT)
        delivery = repeats.test(endpoint, self.caller.actor)
        told = {"success": True, **delivery_json(delivery)}
        return Response(told, status=status.HTTP_202_ACCEPTED)


@extend_schema_view(post=ORGANIZATION["replay_events"])
class ReplayView(WebhookView):
    """`…/webhooks/{webhook}/replay`."""

    def post(
        self, request: Request, webhook_id: str, organization_id: int | None = None
    ) -> Response:
        endpoint = self.endpoint(organization_id, webhook_id, Right.REPEAT)
        body = self.body(ReplayEverywhereBody if organization_id is None else ReplayBody)
        organization = endpoint.organization
        if "organization" in body:
            organization = Organization.objects.present().get(pk=body["organization"])
        replays = repeats.replay(
            endpoint,
            self.caller.actor,
            organization=organization,
            from_sequence=body.get("fromSequence"),
            from_time=body.get("fromTime"),
        )
        told = {"success": True, **replays_json(replays)}
        return Response(told, status=status.HTTP_202_ACCEPTED)
