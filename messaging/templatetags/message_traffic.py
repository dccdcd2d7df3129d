"""The traffic of messages on the fleet page, which knows nothing of messages itself."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.formats import number_format

from messaging.admin.chart import MessageChart
from messaging.admin.chart import message_charts as charts_of
from messaging.admin.newcomers import Card, card_of
from messaging.admin.traffic import FleetTraffic, fleet_traffic_of
from organizations.admin.base import caller_of

register = template.Library()


@register.simple_tag(takes_context=True)
def fleet_traffic(context: dict[str, Any]) -> FleetTraffic:
    """Return the traffic of the organizations that the person sees."""
    return fleet_traffic_of(caller_of(context["request"]))


@register.simple_tag(takes_context=True)
def message_charts(context: dict[str, Any]) -> list[MessageChart]:
    """Return the charts of the organizations that the person sees."""
    return charts_of(caller_of(context["request"]))


@register.simple_tag(takes_context=True)
def newcomer_card(context: dict[str, Any]) -> Card | None:
    """Return the newcomer's card, None for those who do not get one."""
    return card_of(caller_of(context["request"]))


@register.filter
def grouped(number: int) -> str:
    """Return a number with the language's separators: 12,480."""
    return number_format(number, force_grouping=True)


@register.filter
def consequence(traffic: FleetTraffic, organization_id: int) -> str:
    """Return what waits in an organization, in words, "" for nothing."""
    return traffic.consequence(organization_id)
