"""The connection that a page of the admin operates."""

from __future__ import annotations

from django.http import Http404, HttpRequest

from connections.models import Connection
from organizations.access import Permission
from organizations.admin.base import caller_of
from organizations.models import Organization


def operable_connection(
    request: HttpRequest, organization_id: int, permission: Permission = Permission.OPERATE
) -> Connection:
    """Return the connection.

    Raises Http404 for outsiders, PermissionDenied for members without the permission.
    """
    try:
        organization = caller_of(request).organization(organization_id, permission)
    except Organization.DoesNotExist as error:
        raise Http404 from error
    return Connection.objects.of(organization)
