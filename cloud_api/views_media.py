"""`{phone number}/media` and `{media}`: upload files, fetch those that were received."""

from __future__ import annotations

from typing import Any

from django.core.files.uploadedfile import UploadedFile
from rest_framework import status as http_status
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from cloud_api.codes import Code
from cloud_api.errors import GraphError, unknown_object
from cloud_api.views import GraphView
from connections.long_poll import wait_for
from events.notifications import log_group
from messaging import file_addresses, media_files
from messaging.actions import media as actions
from messaging.api.serializers import UploadSerializer
from messaging.api.views_media import FORM_BYTES
from messaging.media_types import UNKNOWN, Mismatch
from messaging.models import Media
from messaging.refusals import UnknownMedia
from organizations.access import Permission
from organizations.models import Organization

NO_FILE = "file: A part of the form with the name “file” and a file is needed."
TOO_LARGE = "A file may have {size} MB at most."
MISMATCH = "file: It is not what its type says: its content is {found}."
NOT_FETCHED = "This file is not stored here: {reason}."

# How long a file that is being fetched from WhatsApp is waited for: the webhook about its message
# leaves before that.
FETCH_SECONDS = 20.0


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
        claimed = file.content_type or ""
        if claimed in ("", UNKNOWN):
            claimed = str(request.POST.get("type") or "")
        try:
            media = actions.upload(
                organization.pk, file.chunks(), claimed, file.name or "", self.caller.actor
            )
        except media_files.TooLarge as error:
            text = TOO_LARGE.format(size=actions.max_bytes() // actions.MEGABYTE)
            status = http_status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
            raise GraphError(Code.MEDIA_NOT_UPLOADED, text, status) from error
        except Mismatch as error:
            text = MISMATCH.format(found=error.found)
            raise GraphError(Code.MEDIA_NOT_UPLOADED, text) from error
        return Response({"id": media.public_id})


class MediaView(GraphView):
    """`/{media}`."""

    def get(self, request: Request, media_id: str) -> Response:
        self.require_phone_number_id(request)
        organization = self.own_organization(Permission.READ_MESSAGES)
        media = _find(organization, media_id)
        if media.state == Media.State.PENDING:
            media = _wait_until_fetched(media)
        # The right may have ended during the wait.
        self.caller.reread().require(Permission.READ_MESSAGES, organization)
        if media.state != Media.State.READY:
            details = NOT_FETCHED.format(reason=media.reason or media.state)
            raise GraphError(Code.MEDIA_NOT_FETCHED, details)
        return Response(
            {
                "url": request.build_absolute_uri(file_addresses.path_of(media)),
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


def _wait_until_fetched(media: Media) -> Media:
    """Return the file when it is fetched, or as it is after FETCH_SECONDS."""

    def check() -> Media | None:
        found = Media.objects.filter(pk=media.pk).first()
        return found if found is not None and found.state != Media.State.PENDING else None

    return wait_for(log_group(media.organization_id), check, FETCH_SECONDS) or media
