"""For the connection page: the newest link for the phone's owner."""

from __future__ import annotations

from typing import Any

from django import template

from connections.models import Connection
from connections.owner_link import links
from organizations.models import Organization

register = template.Library()


@register.simple_tag
def owner_link_of(organization: Organization) -> dict[str, Any] | None:
    """Return the newest owner link for staff who may operate the organization, if any."""
    return links.newest_as_json(Connection.objects.of(organization))
