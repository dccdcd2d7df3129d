"""API tokens: how a request shows one, on top of django-rest-knox (hashes, expiry)."""

from django.contrib.auth.models import User
from knox.auth import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed

from organizations.models import ApiToken


class BearerTokenAuthentication(TokenAuthentication):
    """`Authorization: Bearer <token>`."""

    def authenticate_credentials(self, token: bytes) -> tuple[User, ApiToken]:
        """The token's user and the token. Raises AuthenticationFailed (401)."""
        # knox decodes as UTF-8; anything else than ASCII was never one of our tokens.
        if not token.isascii():
            raise AuthenticationFailed("Invalid token.")
        found: tuple[User, ApiToken]
        found = super().authenticate_credentials(token)  # type: ignore[no-untyped-call]
        return found


def create_token(user: User, name: str) -> str:
    """A new token for `user`, which is shown only now."""
    _, token = ApiToken.objects.create(user=user, name=name)
    return str(token)
