"""The frame of the pages about notices that belong to no organization."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.template.response import TemplateResponse


def render(
    request: HttpRequest, template: str, context: dict[str, Any], status: int = 200
) -> TemplateResponse:
    """Return a page of the admin site."""
    request.current_app = admin.site.name
    whole = {**admin.site.each_context(request), **context}
    return TemplateResponse(request, template, whole, status=status)
