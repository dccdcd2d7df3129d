"""For the question about links for many owners."""

from __future__ import annotations

from django import template

from connections.durations import format_duration
from connections.owner_link import links

register = template.Library()


@register.simple_tag
def owner_link_lifetimes() -> list[tuple[int, str]]:
    """Return how long a link may be valid, in seconds and as text."""
    return [(int(each.total_seconds()), format_duration(each)) for each in links.lifetimes()]
