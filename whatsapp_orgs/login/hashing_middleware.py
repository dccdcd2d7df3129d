"""Answer 503 when a request's password cannot be hashed in time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.template import loader
from django.utils.translation import gettext as _

from organizations.login import throttle
from whatsapp_orgs.api import NO_STORE, RETRY_SECONDS, error_body
from whatsapp_orgs.login.password_hashing import HashingBusy, is_request

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class HashingMiddleware:
    """Limits the wait for a hash in requests, and answers 503 to HashingBusy."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        token = is_request.set(True)
        try:
            return self._get_response(request)
        finally:
            is_request.reset(token)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Return 503 for HashingBusy: JSON for API clients, a page for people."""
        if not isinstance(error, HashingBusy):
            return None
        throttle.refund(request)
        headers: dict[str, Any] = {**NO_STORE, "Retry-After": str(RETRY_SECONDS)}
        if request.path.startswith("/api/"):
            message = _("The service is busy at the moment. Try again in a few seconds.")
            return JsonResponse(error_body("busy", message), status=503, headers=headers)
        page = loader.render_to_string("503_busy.html")
        return HttpResponse(page, status=503, headers=headers)
