"""Authentication by tokens of the Cloud API: in the header, or in the query if that is allowed."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser, User
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from cloud_api.query_secrets import secrets_of
from messaging.models import MessagingSettings
from organizations.models import ApiToken
from organizations.tokens import BearerTokenAuthentication

ONE_TOKEN = "Give one access token: in the header, or as `access_token`, and only once."
NOT_IN_QUERY = (
    "This organization takes no token in the address. Send it as `Authorization: Bearer …`, or "
    "let an owner allow it on the Settings tab."
)


class GraphTokenAuthentication(BearerTokenAuthentication):
    """`Authorization: Bearer <token>`, or `?access_token=<token>`."""

    kind = ApiToken.Kind.GRAPH

    def find(self, request: Request) -> tuple[User | AnonymousUser, ApiToken] | None:
        given = secrets_of(request).get("access_token")
        if not given:
            return super().find(request)
        if len(given) > 1 or "HTTP_AUTHORIZATION" in request.META:
            raise AuthenticationFailed(ONE_TOKEN)
        # What no header could carry is no token.
        user, token = self.authenticate_credentials(given[0].encode("latin-1", "replace"))
        assert token.organization_id is not None
        if not MessagingSettings.of(token.organization_id).token_in_query:
            raise AuthenticationFailed(NOT_IN_QUERY)
        return user, token
