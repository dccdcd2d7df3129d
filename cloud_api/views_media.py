"""`{phone number}/media` and `{media}`: upload files, fetch those that were received."""

from __future__ import annotations

from typing import Any

from django.core.files.uploadedfile import UploadedFile
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from cloud_api import uploads
from cloud_api.codes import Code
from cloud_api.errors import GraphError, unknown_object
from cloud_api.views import GraphView
from messaging import signed_urls
from messaging.actions import media as actions
from messaging.api.serializers import UploadSerializer
from messaging.api.views_media import FORM_BYTES, NOT_FETCHED_YET, RETRY_SECONDS
from messaging.media_long_poll import wait_until_fetched
from messaging.models import Media
from messaging.refusals import UnknownMedia
from organizations.access import Permission
from organizations.models import Organization

NO_FILE = "file: A part of the form with the name “file” and a file is needed."
NOT_FETCHED = "This file is not stored here: {reason}."


class MediaUploadView(GraphView):
    """`/{phone number}/media`."""

    parser_classes = [MultiPartParser]

    @property
    def body_limit(self) -> int:
        return actions.max_bytes() + FORM_BYTES

    def post(self, request: Request, organization_id: int) -> Response:
        organization = self.caller.organization(organization_id, Permission.SEND_MESSAGES)
        try:
            file: UploadedFile[Any] = self.body(UploadSerializer)["file"]
        except ValidationError as error:
            raise GraphError(Code.MISSING_FIELD, NO_FILE) from error
        mime_type = uploads.check(file, str(request.POST.get("type") or ""))
        media = actions.upload(
            organization.pk, file.chunks(), mime_type, file.name or "", self.caller.actor
        )
        return Response({"id": media.public_id})


class MediaView(GraphView):
    """`/{media}`."""

    def get(self, request: Request, media_id: str) -> Response:
        self.require_phone_number_id(request)
        organization = self.own_organization(Permission.READ_MESSAGES)
        media = wait_until_fetched(_find(organization, media_id))
        # The right may have ended during the wait.
        self.caller.reread().require(Permission.READ_MESSAGES, organization)
        if media.state == Media.State.PENDING:
            raise GraphError(Code.UNAVAILABLE, NOT_FETCHED_YET, 503, wait=RETRY_SECONDS)
        if media.state != Media.State.READY:
            details = NOT_FETCHED.format(reason=media.reason or media.state)
            raise GraphError(Code.MEDIA_NOT_FETCHED, details)
        return Response(
            {
                "url": request.build_absolute_uri(signed_urls.path_of(media.public_id)),
                "mime_type": media.mime_type,
                "sha256": media.sha256,
                "file_size": media.size,
                "id": media.public_id,
                "messaging_product": "whatsapp",
            }
        )

    def delete(self, request: Request, media_id: str) -> Response:
        self.require_phone_number_id(request)
        organization = self.own_organization(Permission.SEND_MESSAGES)
        try:
            actions.delete(organization.pk, media_id)
        except UnknownMedia as error:
            raise unknown_object() from error
        return Response({"success": True})


def _find(organization: Organization, media_id: str) -> Media:
    """Return a file of the organization. Raises GraphError."""
    media = Media.objects.filter(organization=organization, public_id=media_id).first()
    if media is None:
        raise unknown_object()
    return media
