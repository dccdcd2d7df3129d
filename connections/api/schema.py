"""`extend_schema` decorators of the views of one organization's connection.

Each is named after its operation.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from django.utils.translation import override
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema

from connections.api.schema_responses import (
    DisconnectBegunSerializer,
    DoneSerializer,
    PairingCodeSerializer,
    QrCodeSerializer,
    ReconnectBegunSerializer,
    ReconnectSerializer,
    StatusSerializer,
)
from connections.api.serializers import PhoneNumberSerializer, ReconnectBodySerializer
from connections.lifecycle import RULES, Reason, State
from connections.reason_texts import HELD, NO_CODE_FOLLOWS, REASON_TEXTS
from connections.refusals import (
    AlreadyConnected,
    OrganizationInactive,
    RequestRefused,
    TemporarilyBanned,
    TooManyRequests,
    UnexpectedNumber,
)
from organizations.access import DENIED_MESSAGES, Permission
from organizations.api.schema import (
    BODY_ERRORS,
    ORGANIZATION_NOT_FOUND,
    ErrorExample,
    error_responses,
    example_request,
    example_response,
    forbidden,
    invalid,
)
from organizations.phone_numbers import FOREIGN, INVALID

TAGS = ["whatsapp"]
PICTURE = "data:image/png;base64,iVBORw0KGgo="


def _english(reason: Reason) -> str:
    """Return a reason's text in English, whatever language is active during the import."""
    return f"{REASON_TEXTS[reason].english} {REASON_TEXTS[reason].english_next_step}"


def refusal(make: Callable[[], RequestRefused]) -> ErrorExample:
    """Return what the API answers to a request that is refused, in English."""
    with override(None):
        error = make()
    return ErrorExample(error.status, error.code, str(error))


# --- Errors -------------------------------------------------------------------------------------

OPERATORS_ONLY = forbidden(DENIED_MESSAGES[Permission.OPERATE])
ALREADY_CONNECTED = refusal(AlreadyConnected)
SUPERSEDED = ErrorExample(409, "superseded", "Another request has taken the place of this one.")
INACTIVE = refusal(OrganizationInactive)
BANNED = refusal(lambda: TemporarilyBanned(datetime(2026, 3, 1, 9, 30, tzinfo=UTC)))
UNEXPECTED_NUMBER = refusal(UnexpectedNumber)
TOO_MANY_RECONNECTS = refusal(lambda: TooManyRequests(120))
NO_CLIENT = ErrorExample(
    404,
    "client_not_found",
    "WhatsApp client not found for this organization. Please initialize connection first.",
)
NO_CODE = ErrorExample(
    404,
    "qr_not_available",
    "QR code not available. Please wait a few seconds and try again.",
)
CODE_ERRORS = error_responses(
    ALREADY_CONNECTED, NO_CLIENT, NO_CODE, OPERATORS_ONLY, ORGANIZATION_NOT_FOUND
)
RECONNECT_FAILED = [
    ErrorExample(503, reason.value, _english(reason))
    for reason in Reason
    if reason in HELD
    or reason in NO_CODE_FOLLOWS
    or any(rule.reason == reason and rule.state == State.ACTION_NEEDED for rule in RULES.values())
]
RECONNECT_ERRORS = (
    OPERATORS_ONLY,
    ORGANIZATION_NOT_FOUND,
    ALREADY_CONNECTED,
    INACTIVE,
    BANNED,
    SUPERSEDED,
    TOO_MANY_RECONNECTS,
    *RECONNECT_FAILED,
    *BODY_ERRORS,
)
DISCONNECT_FAILED = [
    ErrorExample(500, reason.value, _english(reason))
    for reason in (Reason.SESSION_BROKE, Reason.STORE_FAILED)
]

# --- Status and codes ---------------------------------------------------------------------------

read_status = extend_schema(
    operation_id="readStatus",
    summary="What is, why, and what helps",
    tags=TAGS,
    responses={
        200: example_response(
            StatusSerializer,
            "The connection as it is now.",
            {
                "success": True,
                "authType": "baileys",
                "connectionStatus": "connected",
                "isConnected": True,
                "isDisconnected": False,
                "hasQRCode": False,
                "canReconnect": False,
                "state": "connected",
                "desired": "connected",
                "reason": "linked",
                "detail": "",
                "sentence": REASON_TEXTS[Reason.LINKED].english,
                "nextStep": REASON_TEXTS[Reason.LINKED].english_next_step,
                "number": "5511987654321",
                "since": "2026-03-01T09:30:00+00:00",
                "retryAt": None,
                "phoneLastSeenAt": "2026-03-01T17:05:00+00:00",
                "phoneSentence": "The phone was last heard from within a day.",
                "phoneSilence": None,
            },
        ),
        **error_responses(ORGANIZATION_NOT_FOUND),
    },
)
read_qr_code = extend_schema(
    operation_id="readQrCode",
    summary="The QR code that can be scanned now",
    tags=TAGS,
    responses={
        200: example_response(
            QrCodeSerializer,
            "The code.",
            {
                "success": True,
                "qrCode": PICTURE,
                "message": "Scan this QR code with WhatsApp to connect",
            },
        ),
        **CODE_ERRORS,
    },
)
read_qr_code_png = extend_schema(
    operation_id="readQrCodePng",
    summary="The QR code that can be scanned now, as a PNG picture",
    tags=TAGS,
    responses={
        (200, "image/png"): OpenApiResponse(OpenApiTypes.BINARY, "The picture."),
        **CODE_ERRORS,
    },
)
read_qr_code_svg = extend_schema(
    operation_id="readQrCodeSvg",
    summary="The QR code that can be scanned now, as an SVG picture",
    tags=TAGS,
    responses={
        (200, "image/svg+xml"): OpenApiResponse(OpenApiTypes.BINARY, "The picture."),
        **CODE_ERRORS,
    },
)

# --- Requests -----------------------------------------------------------------------------------

RECONNECTED = example_response(
    ReconnectSerializer,
    "A code to scan; `null` when the saved credentials still work.",
    {
        "success": True,
        "message": "Reconnection successful. Scan the QR code to reconnect.",
        "qrCode": PICTURE,
    },
)
RECONNECT_BEGUN = example_response(
    ReconnectBegunSerializer,
    "It takes longer. Ask again after `Retry-After` seconds.",
    {
        "message": "Reconnection initialized. QR code will be available shortly.",
        "retryIn": 3000,
    },
)

reconnect = extend_schema(
    operation_id="reconnect",
    summary="Ask for a connection, and for its first QR code",
    tags=TAGS,
    request=ReconnectBodySerializer,
    examples=[example_request({"freshCode": True})],
    responses={200: RECONNECTED, 202: RECONNECT_BEGUN, **error_responses(*RECONNECT_ERRORS)},
)
init_baileys = extend_schema(
    operation_id="initBaileys",
    summary="The old service's other word for reconnect",
    tags=TAGS,
    request=ReconnectBodySerializer,
    examples=[example_request({"freshCode": True})],
    responses={200: RECONNECTED, 202: RECONNECT_BEGUN, **error_responses(*RECONNECT_ERRORS)},
)
request_pairing_code = extend_schema(
    operation_id="requestPairingCode",
    summary="Ask for a connection by a code that is typed on the phone",
    tags=TAGS,
    request=PhoneNumberSerializer,
    examples=[
        example_request({"phoneNumber": "+5511987654321"}),
        example_request({"phoneNumber": "+52 55 1234 5678"}, "as people write it"),
        example_request({"phoneNumber": "5215512345678"}, "in the spelling of WhatsApp"),
    ],
    responses={
        200: example_response(
            PairingCodeSerializer,
            "A code to type; `null` when the saved credentials still work.",
            {
                "success": True,
                "message": "Type this code on the phone: Linked devices, Link with phone number "
                "instead.",
                "pairingCode": "ABCD-1234",
                "expiresIn": 160,
            },
        ),
        202: RECONNECT_BEGUN,
        **error_responses(
            invalid(f"phoneNumber: {INVALID}"),
            invalid(f"phoneNumber: {FOREIGN.format(part='ext')}"),
            UNEXPECTED_NUMBER,
            *RECONNECT_ERRORS,
        ),
    },
)
cancel_pairing = extend_schema(
    operation_id="cancelPairing",
    summary="End a pairing that is under way",
    tags=TAGS,
    request=None,
    responses={
        200: example_response(
            DoneSerializer,
            "No pairing is under way any more.",
            {"success": True, "message": "The pairing was cancelled."},
        ),
        **error_responses(OPERATORS_ONLY, ORGANIZATION_NOT_FOUND),
    },
)
disconnect = extend_schema(
    operation_id="disconnect",
    summary="Log out at WhatsApp and delete the credentials",
    tags=TAGS,
    responses={
        200: example_response(
            DoneSerializer,
            "It is done.",
            {
                "success": True,
                "message": "WhatsApp disconnected. The saved credentials were deleted.",
            },
        ),
        202: example_response(
            DisconnectBegunSerializer,
            "It takes longer. Ask again after `Retry-After` seconds.",
            {
                "success": True,
                "message": "Disconnecting has begun and will be finished shortly.",
                "retryIn": 3000,
            },
        ),
        **error_responses(OPERATORS_ONLY, ORGANIZATION_NOT_FOUND, *DISCONNECT_FAILED),
    },
)
