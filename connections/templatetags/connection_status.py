"""The state of an organization above its tabs, for templates of any app."""

from __future__ import annotations

from typing import Any

from django import template

from connections.api.serializers import snapshot
from connections.models import Connection
from connections.status import read_status
from organizations.models import Organization

register = template.Library()


@register.simple_tag
def head_status(organization: Organization) -> dict[str, Any]:
    """Return what `connections/head.html` shows as `status`."""
    status = read_status(Connection.objects.of(organization).pk)
    return snapshot(status, may_operate=False, with_history=False)
