"""`proxy`: how an organization's connection to WhatsApp leaves this installation."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from rest_framework import serializers
from rest_framework import status as http_status
from rest_framework.request import Request
from rest_framework.response import Response

from connections import actions, proxies
from connections.api import schema_proxy as schema
from connections.api.errors import RefusedResponse
from connections.api.proxy_serializers import ProxyBody
from connections.models import OrganizationProxy
from connections.reason_texts import REASON_TEXTS
from organizations.access import Permission
from organizations.api.views import CallerView
from organizations.models import Organization

TRY_AGAIN_SECONDS = 10
NO_PROXY = "This organization has no proxy."


class ProxyView(CallerView):
    """`/organizations/{id}/whatsapp/proxy`. Who operates sees its name, owners see where it is."""

    @schema.read_proxy
    def get(self, request: Request, organization_id: int) -> Response:
        return self._answer(self.caller.organization(organization_id, Permission.OPERATE))

    @schema.set_proxy
    def put(self, request: Request, organization_id: int) -> Response:
        organization = self.caller.organization(organization_id, Permission.MANAGE)
        data = self.body(ProxyBody)
        try:
            values = proxies.parse_values({**data, "scheme": data["kind"]})
        except ValidationError as error:
            raise serializers.ValidationError(error.message_dict) from error
        actions.set_proxy(organization, values, self.caller.actor)
        return self._answer(organization)

    @schema.remove_proxy
    def delete(self, request: Request, organization_id: int) -> Response:
        organization = self.caller.organization(organization_id, Permission.MANAGE)
        actions.remove_proxy(organization, self.caller.actor)
        return Response(status=http_status.HTTP_204_NO_CONTENT)

    def _answer(self, organization: Organization) -> Response:
        found = OrganizationProxy.objects.filter(organization=organization).first()
        whole = self.caller.may(Permission.MANAGE, organization)
        described = None if found is None else proxies.describe(found, whole)
        return Response({"success": True, "proxy": described})


class TryProxyView(CallerView):
    """`POST proxy/try`: connect to WhatsApp through it, and send nothing."""

    @schema.try_proxy
    def post(self, request: Request, organization_id: int) -> Response:
        organization = self.caller.organization(organization_id, Permission.OPERATE)
        try:
            result = proxies.try_proxy(organization)
        except OrganizationProxy.DoesNotExist as error:
            raise RefusedResponse(http_status.HTTP_404_NOT_FOUND, "no_proxy", NO_PROXY) from error
        if result.problem is not None:
            reason = proxies.REASONS[result.problem]
            text = f"{proxies.sentence_of(result)} {REASON_TEXTS[reason].next_step}"
            raise RefusedResponse(
                http_status.HTTP_503_SERVICE_UNAVAILABLE, reason.value, text, TRY_AGAIN_SECONDS
            )
        message = proxies.sentence_of(result)
        answer = {"success": True, "milliseconds": result.milliseconds, "message": message}
        return Response(answer)
