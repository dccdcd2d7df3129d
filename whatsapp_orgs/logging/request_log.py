"""Log a line for each request (with LOG_FORMAT=json).

It has the route's pattern and never the path, which may hold a secret.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse

from whatsapp_orgs.logging.redaction import method_of

logger = logging.getLogger(__name__)

GetResponse = Callable[[HttpRequest], HttpResponse]


def request_log(get_response: GetResponse) -> GetResponse:
    """Return the middleware. It is the outermost, so the time includes all others."""
    if settings.LOG_FORMAT != "json":
        raise MiddlewareNotUsed

    def middleware(request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response = get_response(request)
        match = request.resolver_match
        fields: dict[str, object] = {
            "method": method_of(request),
            "route": match.route if match is not None else None,
            "status": response.status_code,
            "milliseconds": round((time.perf_counter() - started) * 1000, 1),
            "caller": _caller(request),
        }
        if match is not None and (organization := match.kwargs.get("organization_id")) is not None:
            fields["organization"] = organization
        logger.info("request", extra=fields)
        return response

    return middleware


def _caller(request: HttpRequest) -> str:
    """Return "token", "session" or "anonymous", without a query just for the log."""
    if getattr(request, "auth", None) is not None:
        return "token"
    user = getattr(request, "_cached_user", None)
    return "session" if user is not None and user.is_authenticated else "anonymous"
