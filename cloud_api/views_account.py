"""What clients ask about the account: the phone number, templates, subscriptions, the token."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from cloud_api.codes import TITLES, Code
from cloud_api.errors import GraphError
from cloud_api.query_secrets import secrets_of
from cloud_api.views import GraphView
from connections.lifecycle import State
from connections.models import Connection
from connections.status import get_status
from organizations import token_throttle
from organizations.models import ApiToken, Organization
from organizations.phone_numbers import format_phone_number
from organizations.tokens import TooManyWrongTokens, find_token

OWNERS_ADD_WEBHOOKS = (
    "Webhooks are added and removed by an owner of the organization, on its Webhooks tab or over "
    "the REST API, and everything goes to all of them."
)
NO_INPUT_TOKEN = "The parameter input_token is required."
NOT_A_TOKEN = "This is no valid access token of this organization."

Json = dict[str, Any]

NO_TEMPLATES = {
    "data": [],
    "paging": {"cursors": {"before": "", "after": ""}},
    "summary": {
        "total_count": 0,
        "message_template_count": 0,
        "message_template_limit": 0,
        "are_translations_complete": True,
    },
}
"""The page of templates, with the counts that clients read."""

SCOPES = {
    ApiToken.MessageScope.SEND: "whatsapp_business_messaging",
    ApiToken.MessageScope.READ: "whatsapp_business_management",
}
"""What Meta calls the permissions of a token."""


class PhoneNumberView(GraphView):
    """`/{phone number}`, which is also the account that it belongs to."""

    def get(self, request: Request, organization_id: int) -> Response:
        organization = self.caller.organization(organization_id)
        return Response(_phone_number(organization, request.query_params.get("fields", "")))


class PhoneNumbersView(GraphView):
    """`/{account}/phone_numbers`: the one that there is."""

    def get(self, request: Request, organization_id: int) -> Response:
        organization = self.caller.organization(organization_id)
        number = _phone_number(organization, request.query_params.get("fields", ""))
        cursors = {"before": number["id"], "after": number["id"]}
        # A client that asks for what follows has seen it.
        seen = request.query_params.get("after") == number["id"]
        return Response({"data": [] if seen else [number], "paging": {"cursors": cursors}})


class MessageTemplatesView(GraphView):
    """`/{account}/message_templates`: none."""

    def get(self, request: Request, organization_id: int) -> Response:
        self.caller.organization(organization_id)
        return Response(NO_TEMPLATES)


class SubscribedAppsView(GraphView):
    """`/{account}/subscribed_apps`: what the token belongs to gets everything that happens."""

    def get(self, request: Request, organization_id: int) -> Response:
        self.caller.organization(organization_id)
        token = self.caller.token
        assert token is not None
        app = {"id": str(token.number), "name": token.name, "link": ""}
        return Response({"data": [{"whatsapp_business_api_data": app}]})

    def post(self, request: Request, organization_id: int) -> Response:
        self.caller.organization(organization_id)
        if isinstance(request.data, dict) and request.data.get("override_callback_uri"):
            raise GraphError(Code.NOT_ALLOWED, OWNERS_ADD_WEBHOOKS, 403)
        return Response({"success": True})

    def delete(self, request: Request, organization_id: int) -> Response:
        self.caller.organization(organization_id)
        raise GraphError(Code.NOT_ALLOWED, OWNERS_ADD_WEBHOOKS, 403)


class DebugTokenView(GraphView):
    """`/debug_token`: what a token of the organization may do."""

    def get(self, request: Request) -> Response:
        given = secrets_of(request).get("input_token")
        if len(given) != 1:
            raise GraphError(Code.INVALID, NO_INPUT_TOKEN)
        organization = self.own_organization()
        token = find_token(given[0], ApiToken.Kind.GRAPH)
        if token is None or token.organization_id != organization.pk:
            try:
                token_throttle.record_wrong_token(request.META.get("REMOTE_ADDR"))
            except token_throttle.Throttled as error:
                raise TooManyWrongTokens(error) from error
            return Response({"data": _invalid_token()})
        return Response({"data": _token(token)})


def _phone_number(organization: Organization, fields: str) -> Json:
    """Return what is known of an organization's number: all, or the fields that are asked for."""
    status = get_status(Connection.objects.of(organization))
    number = status.connection.number or status.connection.last_number
    connected = status.state == State.CONNECTED
    everything = {
        "id": str(organization.pk),
        "name": organization.name,
        "verified_name": organization.name,
        "display_phone_number": format_phone_number(number),
        "quality_rating": "UNKNOWN",
        "code_verification_status": "VERIFIED" if number else "NOT_VERIFIED",
        "status": "CONNECTED" if connected else "DISCONNECTED",
        "platform_type": "CLOUD_API",
        "account_mode": "LIVE",
        "throughput": {"level": "STANDARD"},
    }
    wanted = {name.strip() for name in fields.split(",") if name.strip()}
    if not wanted:
        return everything
    return {name: value for name, value in everything.items() if name in wanted | {"id"}}


def _token(token: ApiToken) -> Json:
    expires = int(token.expiry.timestamp()) if token.expiry else 0
    scopes = [name for scope, name in SCOPES.items() if scope in token.message_scopes]
    account = str(token.organization_id)
    return {
        "app_id": str(token.number),
        "application": token.name,
        "type": "SYSTEM_USER",
        "is_valid": True,
        "issued_at": int(token.created.timestamp()),
        "expires_at": expires,
        "data_access_expires_at": expires,
        "scopes": scopes,
        "granular_scopes": [{"scope": scope, "target_ids": [account]} for scope in scopes],
    }


def _invalid_token() -> Json:
    error = {"code": Code.BAD_TOKEN.value, "message": f"{TITLES[Code.BAD_TOKEN]}. {NOT_A_TOKEN}"}
    now = int(timezone.now().timestamp())
    return {"is_valid": False, "error": error, "scopes": [], "issued_at": now}
