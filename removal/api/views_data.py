"""REST API: for how long an organization keeps things, and all of them as one file."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.http import StreamingHttpResponse
from django.utils.translation import gettext
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import ValidationError

from messaging.api.views_data import DataView
from organizations.access import Permission
from organizations.api.views import AnyAccept, CallerView, Conflict
from organizations.models import Organization
from removal import actions, retention
from removal.api import schema_data as schema
from removal.api.serializers import ArchiveBody, RetentionBody, RetentionSerializer
from removal.archive import archive_response
from removal.refusals import REASON_MISSING, WouldDelete


class RetentionView(CallerView):
    """`/organizations/{id}/retention`."""

    @schema.read_retention
    def get(self, request: Request, organization_id: int) -> Response:
        return Response(_days(self.caller.organization(organization_id)))

    @schema.change_retention
    def patch(self, request: Request, organization_id: int) -> Response:
        organization = self.caller.organization(organization_id, Permission.MANAGE)
        given = self.body(RetentionBody, partial=True)
        confirmed = given.pop("deleteOlder", False)
        stored = retention.stored_days(organization.pk)
        decided = {**stored, **given}
        if decided != stored and not confirmed:
            days = retention.effective(organization.pk, decided)
            if doomed := retention.too_old(organization.pk, days):
                raise Conflict(str(WouldDelete(doomed)))
        retention.change(organization, decided, self.caller.actor)
        return Response(_days(organization))


def _days(organization: Organization) -> dict[str, Any]:
    stored = retention.stored_days(organization.pk)
    days = retention.effective(organization.pk, stored)
    return dict(RetentionSerializer({**stored, "inEffect": asdict(days)}).data)


class ArchiveView(DataView):
    """`/organizations/{id}/archive`: all data as a ZIP file."""

    content_negotiation_class = AnyAccept

    @schema.download_archive
    def post(self, request: Request, organization_id: int) -> StreamingHttpResponse:
        organization = self.owned(organization_id)
        reason = self.body(ArchiveBody).get("reason", "")
        if self.caller.is_superuser and not reason:
            raise ValidationError({"reason": gettext(REASON_MISSING)})
        actions.record_archive(organization, self.caller.actor, reason)
        return archive_response(organization, self.caller)
