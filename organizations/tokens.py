"""Authentication by API tokens, on top of django-rest-knox (hashes and base model)."""

from __future__ import annotations

from datetime import timedelta
from hmac import compare_digest
from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from knox.auth import TokenAuthentication
from knox.crypto import hash_token
from knox.settings import CONSTANTS
from rest_framework.exceptions import APIException, AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.status import HTTP_429_TOO_MANY_REQUESTS

from organizations import token_throttle
from organizations.models import ApiToken

# `last_used_at` is written at most this often, to avoid a write for each request.
LAST_USED_PRECISION = timedelta(minutes=1)


def find_token(text: str, kind: ApiToken.Kind = ApiToken.Kind.REST) -> ApiToken | None:
    """Return the valid token of this kind with this text, or None."""
    # No token has these characters, and PostgreSQL refuses a NUL.
    if not text.isascii() or "\0" in text:
        return None
    digest = hash_token(text)
    candidates: QuerySet[ApiToken] = ApiToken.objects.filter(
        token_key=text[: CONSTANTS.TOKEN_KEY_LENGTH], kind=kind
    )
    for token in candidates.select_related("user").order_by():
        if compare_digest(digest, token.digest) and token.is_valid:
            return token
    return None


def mark_used(token: ApiToken) -> None:
    """Update `last_used_at`, at most once a minute."""
    now = timezone.now()
    if token.last_used_at is None or now - token.last_used_at > LAST_USED_PRECISION:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)


class TooManyWrongTokens(APIException):
    """429 with Retry-After, for too many wrong tokens."""

    status_code = HTTP_429_TOO_MANY_REQUESTS
    default_code = "too_many_requests"

    def __init__(self, error: token_throttle.Throttled) -> None:
        super().__init__(str(error))
        self.wait = error.wait


class BearerTokenAuthentication(TokenAuthentication):
    """`Authorization: Bearer <token>`."""

    kind = ApiToken.Kind.REST

    def authenticate(self, request: Request) -> tuple[User | AnonymousUser, ApiToken] | None:
        """Return user and token. Raises AuthenticationFailed (401) and TooManyWrongTokens (429)."""
        try:
            return self.find(request)
        except AuthenticationFailed:
            try:
                token_throttle.record_wrong_token(request.META.get("REMOTE_ADDR"))
            except token_throttle.Throttled as error:
                raise TooManyWrongTokens(error) from error
            raise

    def find(self, request: Request) -> tuple[User | AnonymousUser, ApiToken] | None:
        """Return user and token, None without a token. Raises AuthenticationFailed (401)."""
        authenticate: Any = super().authenticate
        found: tuple[User | AnonymousUser, ApiToken] | None = authenticate(request)
        return found

    def authenticate_credentials(self, token: bytes) -> tuple[User | AnonymousUser, ApiToken]:
        """Return the token's user (AnonymousUser for an organization's own token) and the token.

        Raises AuthenticationFailed (401).
        """
        found = find_token(token.decode("latin-1"), self.kind)
        if found is None:
            raise AuthenticationFailed(_("Invalid token."))
        mark_used(found)
        return (AnonymousUser() if found.organization_id else found.user), found


class IsAuthenticatedCaller(BasePermission):
    """Allows users and tokens, also an organization's own token, which has no user."""

    def has_permission(self, request: Request, view: object) -> bool:
        return request.auth is not None or bool(request.user and request.user.is_authenticated)
