"""What the admin's pages share that are views of their own, and no lists or forms of Django's."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
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
