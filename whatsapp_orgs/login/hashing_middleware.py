"""What is answered where the service has no place for a request's password."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.template import loader
from django.utils.translation import gettext as _

from organizations.login import throttle
from whatsapp_orgs.api import NO_STORE, RETRY_SECONDS, shape
from whatsapp_orgs.login.password_hashing import HashingBusy, in_request

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class HashingMiddleware:
    """Answers 503 when a view needs a hash and there is no place for it."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        token = in_request.set(True)
        try:
            return self._get_response(request)
        finally:
            in_request.reset(token)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Return 503 for HashingBusy: JSON for API clients, a page for people."""
        if not isinstance(error, HashingBusy):
            return None
        throttle.refund_unchecked(request)
        headers: dict[str, Any] = {**NO_STORE, "Retry-After": str(RETRY_SECONDS)}
        if request.path.startswith("/api/"):
            message = _("The service is busy at the moment. Try again in a few seconds.")
            return JsonResponse(shape("busy", message), status=503, headers=headers)
        page = loader.render_to_string("503_busy.html")
        return HttpResponse(page, status=503, headers=headers)
