"""The routes below an organization's connection page, and those of the installation."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import admin
from django.http import HttpResponse
from django.urls import URLPattern, path

import messaging.converters  # noqa: F401
from webhooks.admin import delivery, edit, endpoint, lists, replay, simulated_receiver

WEBHOOK = "<public_id:webhook_id>"
DELIVERY = f"{WEBHOOK}/deliveries/<public_id:delivery_id>"


def _path(route: str, view: Callable[..., HttpResponse], url_name: str) -> URLPattern:
    """Return a route of the admin site."""
    return path(route, admin.site.admin_view(view), name=url_name)


# The views of both take `organization_id` or nothing; `Place.url` knows which one is meant.
_shared = [
    ("add/", edit.add_view, "webhook_add"),
    ("catch/", simulated_receiver.add_view, "webhook_catch"),
    ("catch/answer/", simulated_receiver.answer_view, "webhook_catch_answer"),
    (f"{WEBHOOK}/", endpoint.endpoint_view, "webhook"),
    (f"{WEBHOOK}/edit/", edit.edit_view, "webhook_edit"),
    (f"{WEBHOOK}/test/", endpoint.test_view, "webhook_test"),
    (f"{WEBHOOK}/pause/", endpoint.pause_view, "webhook_pause"),
    (f"{WEBHOOK}/enable/", endpoint.enable_view, "webhook_enable"),
    (f"{WEBHOOK}/rotate/", edit.rotate_view, "webhook_rotate"),
    (f"{WEBHOOK}/delete/", endpoint.delete_view, "webhook_delete"),
    (f"{WEBHOOK}/replay/", replay.replay_view, "webhook_replay"),
    (f"{DELIVERY}/", delivery.delivery_view, "webhook_delivery"),
    (f"{DELIVERY}/resend/", delivery.resend_view, "webhook_resend"),
]

organization_urlpatterns = [
    _path("webhooks/", lists.organization_view, "webhooks"),
    *(_path(f"webhooks/{route}", view, name) for route, view, name in _shared),
]

installation_urlpatterns = [
    _path("", lists.installation_view, "webhooks"),
    *(_path(route, view, name) for route, view, name in _shared),
]
