"""For the connection page: the newest link for the phone's owner."""

from __future__ import annotations

from typing import Any

from django import template

from connections.durations import format_duration
from connections.models import Connection
from connections.owner_link import links
from organizations.models import Organization

register = template.Library()


@register.simple_tag
def owner_link_of(organization: Organization) -> dict[str, Any] | None:
    """Return the newest owner link for staff who may operate the organization, if any."""
    return links.newest_as_json(Connection.objects.of(organization))


@register.simple_tag
def owner_link_lifetimes() -> list[tuple[int, str]]:
    """Return how long a link may be valid, in seconds and as text."""
    return [(int(each.total_seconds()), format_duration(each)) for each in links.lifetimes()]
