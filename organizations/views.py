"""What every view of the REST API stands on: who calls, and that someone does."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.views import APIView

from organizations.access import Caller
from organizations.models import ApiToken


def caller_of(request: Request) -> Caller:
    """Who asks, and from where."""
    token = request.auth if isinstance(request.auth, ApiToken) else None
    return Caller(request.user, token, request.META.get("REMOTE_ADDR") or None)


class CallerView(APIView):
    """A view that knows its caller."""

    @property
    def caller(self) -> Caller:
        return caller_of(self.request)
