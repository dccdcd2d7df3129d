"""The frame of the pages about notices that belong to no organization."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.views.decorators.cache import never_cache

View = Callable[..., HttpResponse]

READ = ("GET", "HEAD")


def page_view(*methods: str) -> Callable[[View], View]:
    """Return a decorator for a page that answers these methods only, and is never cached."""

    def decorate(view: View) -> View:
        @never_cache
        @wraps(view)
        def checked(request: HttpRequest, **ids: Any) -> HttpResponse:
            if request.method not in methods:
                return HttpResponseNotAllowed(methods)
            return view(request, **ids)

        return checked

    return decorate


def render(
    request: HttpRequest, template: str, context: dict[str, Any], status: int = 200
) -> TemplateResponse:
    """Return a page of the admin site."""
    request.current_app = admin.site.name
    whole = {**admin.site.each_context(request), **context}
    return TemplateResponse(request, template, whole, status=status)
