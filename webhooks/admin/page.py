"""The frame of the pages: the tabs of an organization, or the page of the installation."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from connections import simulator_bridge
from messaging.admin.page import render_tab
from messaging.admin.rights import rights_of
from webhooks.admin.place import Place


def render(
    request: HttpRequest, place: Place, template: str, context: dict[str, Any], status: int = 200
) -> TemplateResponse:
    """Return a page in the frame of its place."""
    shared = {"tab": "webhooks", "place": place, "simulator": simulator_bridge.enabled()}
    if place.organization is not None:
        whole = {**shared, "frame": "webhooks/frame/organization.html", **context}
        rights = rights_of(request, place.organization)
        return render_tab(request, place.organization, rights, template, whole, status)
    whole = {
        **admin.site.each_context(request),
        **shared,
        "title": _("Webhooks"),
        "frame": "webhooks/frame/installation.html",
        **context,
    }
    request.current_app = admin.site.name
    return TemplateResponse(request, template, whole, status=status)


def ask(
    request: HttpRequest,
    place: Place,
    *,
    question: str,
    button: str,
    back: str,
    effects: list[str] | None = None,
    dangerous: bool = False,
    hidden: dict[str, str] | None = None,
) -> TemplateResponse:
    """Return a page with a question; its button posts to the same address."""
    context = {
        "question": question,
        "button": button,
        "back": back,
        "effects": effects or [],
        "dangerous": dangerous,
        "hidden": hidden or {},
    }
    return render(request, place, "webhooks/question.html", context)
