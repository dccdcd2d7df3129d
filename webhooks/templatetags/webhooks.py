"""Addresses of pages about webhooks, and the webhooks on the fleet page."""

from __future__ import annotations

from typing import Any

from django import template

from messaging.models import Message
from organizations.admin.base import caller_of
from webhooks.admin.fleet import FleetWebhooks, fleet_webhooks_of
from webhooks.admin.message_events import MessageEvents, events_of
from webhooks.admin.place import Place
from webhooks.admin.signature_checks import CHECKS

register = template.Library()


@register.simple_tag
def webhook_url(place: Place, name: str, *ids: str) -> str:
    """Return the address of a page in a place."""
    return place.url(name, *ids)


@register.simple_tag
def signature_check(form: str, language: str) -> str:
    """Return code that checks the signatures of a format, "" if there is none."""
    return CHECKS.get((form, language), "")


@register.simple_tag(takes_context=True)
def fleet_webhooks(context: dict[str, Any]) -> FleetWebhooks:
    """Return the webhooks that the person sees."""
    return fleet_webhooks_of(caller_of(context["request"]))


@register.simple_tag(takes_context=True)
def message_events(context: dict[str, Any], message: Message) -> MessageEvents:
    """Return the events of a message, and their deliveries that the person sees."""
    return events_of(message, caller_of(context["request"]))
