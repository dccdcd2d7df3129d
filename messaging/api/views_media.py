"""`media`: upload files to send, fetch those that were received."""

from __future__ import annotations

import itertools
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _
from django.views.decorators.http import require_safe
from rest_framework import status as http_status
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from connections.api.errors import RefusedResponse
from messaging import media_files, signed_urls
from messaging.actions import media as actions
from messaging.api import schema_media as schema
from messaging.api.serializers import UploadSerializer
from messaging.media_long_poll import wait_until_fetched
from messaging.media_types import INLINE, UNKNOWN, Mismatch
from messaging.models import Media
from messaging.refusals import StorageUnavailable, UnknownMedia
from messaging.representation import media_json
from organizations.access import Permission
from organizations.api.views import AnyAccept, CallerView

# A multipart body has more than its file.
FORM_BYTES = 64 * 1024
RETRY_SECONDS = 10
SERVED_STATES = (Media.State.READY, Media.State.PENDING)
NO_MEDIA = _("There is no such file.")
NOT_STORED = _("This file is not stored here.")
MISMATCH = _("This file is not what it says: its content is {found}.")
NOT_FETCHED_YET = _("This file is still being fetched from WhatsApp. Try again in a few seconds.")
TOO_LARGE = _("A file may have {size} MB at most.")


class MediaUploadView(CallerView):
    """`/organizations/{id}/media`."""

    parser_classes = [MultiPartParser]

    @property
    def body_limit(self) -> int:
        return actions.max_bytes() + FORM_BYTES

    @schema.upload_media
    def post(self, request: Request, organization_id: int) -> Response:
        organization = self.caller.organization(organization_id, Permission.SEND_MESSAGES)
        file: UploadedFile[Any] = self.body(UploadSerializer)["file"]
        try:
            media = actions.upload(
                organization.pk,
                file.chunks(),
                file.content_type or "",
                file.name or "",
                self.caller.actor,
            )
        except media_files.TooLarge as error:
            text = gettext(TOO_LARGE).format(size=actions.max_bytes() // actions.MEGABYTE)
            raise RefusedResponse(
                http_status.HTTP_413_REQUEST_ENTITY_TOO_LARGE, "too_large", text
            ) from error
        except Mismatch as error:
            text = gettext(MISMATCH).format(found=error.found)
            raise ValidationError({"file": [text]}) from error
        readable = self.caller.may(Permission.READ_MESSAGES, organization)
        return Response(_with_url(request, media, readable), status=http_status.HTTP_201_CREATED)


class MediaView(CallerView):
    """`/organizations/{id}/media/{media}`."""

    @schema.read_media
    def get(self, request: Request, organization_id: int, media_id: str) -> Response:
        media = _find(self, organization_id, media_id)
        return Response(_with_url(request, media, readable=True))

    @schema.delete_media
    def delete(self, request: Request, organization_id: int, media_id: str) -> Response:
        organization = self.caller.organization(organization_id, Permission.SEND_MESSAGES)
        try:
            actions.delete(organization.pk, media_id)
        except UnknownMedia as error:
            raise NotFound(gettext(NO_MEDIA)) from error
        return Response(status=http_status.HTTP_204_NO_CONTENT)


class MediaFileView(CallerView):
    """`/organizations/{id}/media/{media}/file`: its content, for a token."""

    content_negotiation_class = AnyAccept

    @schema.read_media_file
    def get(self, request: Request, organization_id: int, media_id: str) -> StreamingHttpResponse:
        media = _find(self, organization_id, media_id)
        if media.state != Media.State.READY:
            raise RefusedResponse(
                http_status.HTTP_409_CONFLICT, "media_not_ready", gettext(NOT_STORED)
            )
        return _file_response(media)


@require_safe
def signed_file(request: HttpRequest, signed: str) -> HttpResponse | StreamingHttpResponse:
    """Return the content of a file to whoever has its address, which is valid for minutes.

    A file that is being fetched is waited for: a webhook names its address before that.
    """
    public_id = signed_urls.public_id_in(signed)
    served = Media.objects.filter(state__in=SERVED_STATES, organization__removing_since=None)
    media = served.filter(public_id=public_id).first()
    if media is not None:
        media = wait_until_fetched(media)
    if media is not None and media.state == Media.State.PENDING:
        return _try_later(gettext(NOT_FETCHED_YET), RETRY_SECONDS)
    if media is None or media.state != Media.State.READY:
        raise Http404
    try:
        return _file_response(media)
    except StorageUnavailable as error:
        return _try_later(error.sentence, error.retry_after)


def _try_later(text: str, seconds: int | None) -> HttpResponse:
    """Return 503 for a file that may be had soon."""
    headers = {"Retry-After": str(seconds), "Cache-Control": "no-store"}
    return HttpResponse(text, "text/plain; charset=utf-8", 503, headers=headers)


def _find(view: CallerView, organization_id: int, media_id: str) -> Media:
    """Return a file of an organization whose messages the caller reads. Raises NotFound."""
    organization = view.caller.organization(organization_id, Permission.READ_MESSAGES)
    media = Media.objects.filter(organization=organization, public_id=media_id).first()
    if media is None:
        raise NotFound(gettext(NO_MEDIA))
    return media


def _with_url(request: Request, media: Media, readable: bool) -> dict[str, Any]:
    """Return what is known of a file, with an address for those who may read it."""
    url = None
    if readable and media.state == Media.State.READY:
        url = request.build_absolute_uri(signed_urls.path_of(media.public_id))
    return {"success": True, **media_json(media), "url": url}


def _file_response(media: Media) -> StreamingHttpResponse:
    """Return a file's content. Only pictures, films and sounds are shown by a browser."""
    shown = media.mime_type in INLINE
    chunks = media_files.read(media.stored_as)
    try:
        # What cannot be read at all has no response that began well.
        first = next(chunks)
    except FileNotFoundError as error:
        raise Http404 from error
    response = StreamingHttpResponse(
        itertools.chain((first,), chunks), content_type=media.mime_type if shown else UNKNOWN
    )
    response["Content-Length"] = str(media.size)
    disposition = content_disposition_header(not shown, media.filename or media.public_id)
    response["Content-Disposition"] = disposition or "attachment"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    response["Cache-Control"] = "private, no-store"
    return response
