"""A log line for each request, where logs are collected by programs (LOG_FORMAT=json).

It names the route's pattern and never the path: that may hold what only its reader should know.
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
    """Middleware, the outermost: the time is what all others take, too."""
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
    """What kind of caller it was, as far as anyone has looked: no query for the log's sake."""
    if getattr(request, "auth", None) is not None:
        return "token"
    user = getattr(request, "_cached_user", None)
    return "session" if user is not None and user.is_authenticated else "anonymous"
