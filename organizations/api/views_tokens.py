"""REST API of tokens: an organization's tokens, and personal tokens."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _
from rest_framework import status
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from organizations import actions
from organizations.access import Permission
from organizations.api import schema_tokens as schema
from organizations.api.serializers import NewToken, PageQuery, TokenSerializer, TokenWithText
from organizations.api.views import CallerView
from organizations.models import ApiToken, Organization

OUTLIVES = _("A token makes none that outlives it.")
NO_TOKEN = _("There is no such token.")


class TokensView(CallerView):
    """A list of tokens, and new ones."""

    def list(self, tokens: QuerySet[ApiToken]) -> Response:
        self.query(PageQuery)
        return self.page(tokens.select_related("user").order_by("-created", "pk"), TokenSerializer)

    def create(self, user: User, organization: Organization | None = None) -> Response:
        body = self.body(NewToken)
        maker_expiry = self.caller.token.expiry if self.caller.token else None
        expires_at = body.get("expiresAt")
        if "expiresAt" not in body:
            usual = timezone.now() + ApiToken.DEFAULT_LIFETIME
            expires_at = min(usual, maker_expiry) if maker_expiry else usual
        if maker_expiry is not None and (expires_at is None or expires_at > maker_expiry):
            # Otherwise a stolen token that expires soon could create one that never expires.
            raise ValidationError({"expiresAt": [gettext(OUTLIVES)]})
        try:
            token, text = actions.create_token(
                user,
                body["name"],
                self.caller.actor,
                organization=organization,
                scope=ApiToken.Scope(body["scope"]),
                message_scopes=[ApiToken.MessageScope(scope) for scope in body["messageScopes"]],
                expires_at=expires_at,
                kind=ApiToken.Kind(body["kind"]),
            )
        except actions.IncompleteToken as error:
            raise ValidationError({"kind": [str(error)]}) from error
        serializer = TokenWithText(token, context={"text": text})
        return Response(serializer.data, status=status.HTTP_201_CREATED)


class OrganizationTokensView(TokensView):
    """`/organizations/{id}/tokens`: the organization's own, which stand for no user."""

    @schema.list_organization_tokens
    def get(self, request: Request, organization_id: int) -> Response:
        organization = self.caller.organization(organization_id, Permission.MANAGE)
        return self.list(ApiToken.objects.filter(organization=organization))

    @schema.create_organization_token
    def post(self, request: Request, organization_id: int) -> Response:
        organization = self.caller.organization(organization_id, Permission.MANAGE)
        return self.create(self.caller.require_token_owner(), organization)


class OwnTokensView(TokensView):
    """`/tokens`: the caller's own, which stand for them everywhere."""

    @schema.list_own_tokens
    def get(self, request: Request) -> Response:
        return self.list(_tokens_of(self.caller.require_token_owner()))

    @schema.create_own_token
    def post(self, request: Request) -> Response:
        return self.create(self.caller.require_token_owner())


class OrganizationTokenView(CallerView):
    """`/organizations/{id}/tokens/{number}`."""

    @schema.revoke_organization_token
    def delete(self, request: Request, organization_id: int, number: UUID) -> Response:
        organization = self.caller.organization(organization_id, Permission.MANAGE)
        return _revoke(self, ApiToken.objects.filter(organization=organization), number)


class OwnTokenView(CallerView):
    """`/tokens/{number}`."""

    @schema.revoke_own_token
    def delete(self, request: Request, number: UUID) -> Response:
        return _revoke(self, _tokens_of(self.caller.require_token_owner()), number)


def _tokens_of(user: User) -> QuerySet[ApiToken]:
    return ApiToken.objects.filter(user=user, organization=None)


def _revoke(view: CallerView, tokens: QuerySet[ApiToken], number: UUID) -> Response:
    token = tokens.filter(number=number).first()
    if token is None:
        raise NotFound(gettext(NO_TOKEN))
    actions.revoke_token(token, view.caller.actor)
    return Response(status=status.HTTP_204_NO_CONTENT)
