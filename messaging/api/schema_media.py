"""`extend_schema` decorators of the views of files."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema

from messaging import refusals
from messaging.api import schema_responses as responses
from messaging.api.schema_messages import AT, ID, READERS_ONLY, SENDERS_ONLY, refusal
from messaging.api.serializers import UploadSerializer
from organizations.api.schema import (
    ORGANIZATION_NOT_FOUND,
    ErrorExample,
    error_responses,
    example_response,
    invalid,
)

TAGS = ["messages"]

MEDIA = {
    "success": True,
    "id": ID,
    "state": "ready",
    "reason": None,
    "mimeType": "image/jpeg",
    "size": 48211,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "filename": "cardapio.jpg",
    "createdAt": AT,
    "url": f"https://orgs.example.com/media/{ID}:1w2x3y:Zt4pJc0mW9vQ",
}
NO_MEDIA = ErrorExample(404, "not_found", "There is no such file.")
UNAVAILABLE = refusal(refusals.StorageUnavailable)
BUSY = ErrorExample(503, "busy", "The service is busy at the moment. Try again in a few seconds.")
UPLOAD_ERRORS = (
    invalid("file: No file was submitted."),
    invalid("file: This file is not what it says: its content is application/pdf."),
    ErrorExample(400, "parse_error", "Multipart form parse error - Invalid boundary in multipart"),
    ErrorExample(413, "too_large", "A file may have 16 MB at most."),
    ErrorExample(
        415, "unsupported_media_type", 'Unsupported media type "application/json" in request.'
    ),
)

upload_media = extend_schema(
    operation_id="uploadMedia",
    summary="Store a file that is to be sent",
    tags=TAGS,
    request={"multipart/form-data": UploadSerializer},
    examples=[
        OpenApiExample(
            "a picture",
            {"file": "(the bytes)"},
            request_only=True,
            media_type="multipart/form-data",
        )
    ],
    responses={
        201: example_response(
            responses.StoredMediaSerializer,
            "It is stored. Name its `id` in a message. `url` is `null` for those who only send.",
            MEDIA,
        ),
        **error_responses(
            *UPLOAD_ERRORS,
            refusal(refusals.StorageFull),
            UNAVAILABLE,
            BUSY,
            SENDERS_ONLY,
            ORGANIZATION_NOT_FOUND,
        ),
    },
)
read_media = extend_schema(
    operation_id="readMedia",
    summary="What is known of a file, and an address that shows it for five minutes",
    tags=TAGS,
    responses={
        200: example_response(
            responses.StoredMediaSerializer,
            "The file. `url` needs no token; it is `null` while the file is not stored.",
            MEDIA,
        ),
        **error_responses(READERS_ONLY, ORGANIZATION_NOT_FOUND, NO_MEDIA),
    },
)
delete_media = extend_schema(
    operation_id="deleteMedia",
    summary="Delete a file that was uploaded",
    tags=TAGS,
    responses={
        204: OpenApiResponse(description="It is gone."),
        **error_responses(
            SENDERS_ONLY,
            ORGANIZATION_NOT_FOUND,
            NO_MEDIA,
            refusal(refusals.MediaInUse),
            refusal(refusals.MediaReceived),
        ),
    },
)
read_media_file = extend_schema(
    operation_id="readMediaFile",
    summary="The content of a file",
    tags=TAGS,
    responses={
        (200, "application/octet-stream"): OpenApiResponse(
            OpenApiTypes.BINARY,
            "The bytes. The type is that of the content for pictures, films and sounds.",
            [OpenApiExample("answer", "(the bytes)", response_only=True)],
        ),
        **error_responses(
            READERS_ONLY,
            ORGANIZATION_NOT_FOUND,
            NO_MEDIA,
            ErrorExample(409, "media_not_ready", "This file is not stored here."),
            UNAVAILABLE,
        ),
    },
)
