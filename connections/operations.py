"""The operations of one organization's connection, as the OpenAPI document tells them."""

from __future__ import annotations

from datetime import UTC, datetime

from connections import answers, self_tests
from connections.actions import TemporarilyBanned, TooManyTests, UnexpectedNumber
from connections.lifecycle import NO_CODE_FOLLOWS, RULES, Reason, State
from connections.serializers import HELD, PhoneNumberSerializer, ReconnectBodySerializer
from connections.words import WORDS
from organizations.access import REFUSALS, Ability
from organizations.openapi import UNKNOWN, Answer, Problem, invalid, operation, refused
from organizations.phone_numbers import FOREIGN, INVALID

TAG = "whatsapp"
PICTURE = "data:image/png;base64,iVBORw0KGgo="
SCAN_TO_CONNECT = "Scan this QR code with WhatsApp to connect"

MAY_NOT_OPERATE = refused(REFUSALS[Ability.OPERATE])
ALREADY_CONNECTED = Problem(409, "already_connected", "WhatsApp is already connected")
SUPERSEDED = Problem(409, "superseded", "Another request has taken the place of this one.")
INACTIVE = Problem(409, "organization_inactive", "This organization is deactivated.")
BANNED = Problem(
    409, "temporarily_banned", str(TemporarilyBanned(datetime(2026, 3, 1, 9, 30, tzinfo=UTC)))
)
UNEXPECTED = Problem(409, "unexpected_number", str(UnexpectedNumber.__doc__))
TOO_MANY = Problem(
    429,
    "too_many_requests",
    "Too many reconnects in a short time; WhatsApp bans numbers for that. "
    "Try again in 120 seconds.",
)


def _english(reason: Reason) -> str:
    """An example is in English, whoever has made the program read this file."""
    return f"{WORDS[reason].english} {WORDS[reason].english_next_step}"


ENDED = [
    Problem(503, reason.value, _english(reason))
    for reason in Reason
    if reason in HELD
    or reason in NO_CODE_FOLLOWS
    or any(rule.reason == reason and rule.state == State.ACTION_NEEDED for rule in RULES.values())
]
BROKE = [
    Problem(500, reason.value, _english(reason))
    for reason in (Reason.SESSION_BROKE, Reason.STORE_FAILED)
]
NO_CLIENT = Problem(
    404,
    "client_not_found",
    "WhatsApp client not found for this organization. Please initialize connection first.",
)
NO_CODE = Problem(
    404,
    "qr_not_available",
    "QR code not available. Please wait a few seconds and try again.",
)

# --- What is ------------------------------------------------------------------------------------

STATUS = operation(
    "readStatus",
    "What is, why, and what helps",
    TAG,
    [
        Answer(
            200,
            "The connection as it is now.",
            answers.StatusSerializer,
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
                "sentence": WORDS[Reason.LINKED].english,
                "nextStep": WORDS[Reason.LINKED].next_step,
                "number": "5511987654321",
                "since": "2026-03-01T09:30:00+00:00",
                "retryAt": None,
            },
        )
    ],
    [UNKNOWN],
)
LIST_EVENTS = operation(
    "listEvents",
    "What happened, and who did what from where",
    TAG,
    [
        Answer(
            200,
            "A page of the history, the newest line first.",
            answers.EventsSerializer,
            {
                "next": None,
                "results": [
                    {
                        "id": "connection-12",
                        "at": "2026-03-01T09:30:00+00:00",
                        "kind": "connection",
                        "event": "reconnect_requested",
                        "state": "connecting",
                        "stateBefore": "disconnected",
                        "reason": "requested",
                        "sentence": WORDS[Reason.REQUESTED].english,
                        "detail": "",
                        "actor": "alice",
                        "address": "192.0.2.7",
                        "attempt": None,
                    }
                ],
            },
        )
    ],
    [invalid(f"cursor: {answers.BAD_CURSOR}"), UNKNOWN],
    query=answers.EventQuery,
)

# --- Codes --------------------------------------------------------------------------------------

NO_PICTURE = [ALREADY_CONNECTED, NO_CLIENT, NO_CODE, MAY_NOT_OPERATE, UNKNOWN]
QR_CODE = operation(
    "readQrCode",
    "The QR code that can be scanned now",
    TAG,
    [
        Answer(
            200,
            "The code.",
            answers.QrCodeSerializer,
            {"success": True, "qrCode": PICTURE, "message": SCAN_TO_CONNECT},
        )
    ],
    NO_PICTURE,
)
QR_PNG = operation(
    "readQrCodePng",
    "The QR code that can be scanned now, as a PNG picture",
    TAG,
    [Answer(200, "The picture.", media_type="image/png")],
    NO_PICTURE,
)
QR_SVG = operation(
    "readQrCodeSvg",
    "The QR code that can be scanned now, as an SVG picture",
    TAG,
    [Answer(200, "The picture.", media_type="image/svg+xml")],
    NO_PICTURE,
)

# --- Requests -----------------------------------------------------------------------------------

LATER = Answer(
    202,
    "It takes longer. Ask again after `Retry-After` seconds.",
    answers.ReconnectBegunSerializer,
    {
        "message": "Reconnection initialized. QR code will be available shortly.",
        "retryIn": 3000,
    },
)
REFUSED = [
    MAY_NOT_OPERATE,
    UNKNOWN,
    ALREADY_CONNECTED,
    INACTIVE,
    BANNED,
    SUPERSEDED,
    TOO_MANY,
    *ENDED,
]
RECONNECTED = Answer(
    200,
    "A code to scan; `null` when the saved credentials still work.",
    answers.ReconnectSerializer,
    {
        "success": True,
        "message": "Reconnection successful. Scan the QR code to reconnect.",
        "qrCode": PICTURE,
    },
)
RECONNECT = operation(
    "reconnect",
    "Ask for a connection, and for its first QR code",
    TAG,
    [RECONNECTED, LATER],
    REFUSED,
    body=ReconnectBodySerializer,
    example={"freshCode": True},
)
INIT_BAILEYS = operation(
    "initBaileys",
    "The old service's other word for reconnect",
    TAG,
    [RECONNECTED, LATER],
    REFUSED,
    body=ReconnectBodySerializer,
    example={"freshCode": True},
)
PAIRING_CODE = operation(
    "requestPairingCode",
    "Ask for a connection by a code that is typed on the phone",
    TAG,
    [
        Answer(
            200,
            "A code to type; `null` when the saved credentials still work.",
            answers.PairingCodeSerializer,
            {
                "success": True,
                "message": "Type this code on the phone: Linked devices, Link with phone number "
                "instead.",
                "pairingCode": "ABCD-1234",
                "expiresIn": 160,
            },
        ),
        LATER,
    ],
    [
        invalid(f"phoneNumber: {INVALID}"),
        invalid(f"phoneNumber: {FOREIGN.format(part='ext')}"),
        UNEXPECTED,
        *REFUSED,
    ],
    body=PhoneNumberSerializer,
    example={"phoneNumber": "+5511987654321"},
    more_examples={
        "as people write it": {"phoneNumber": "+52 55 1234 5678"},
        "in the spelling of WhatsApp": {"phoneNumber": "5215512345678"},
    },
)
CANCEL = operation(
    "cancelPairing",
    "End a pairing that is under way",
    TAG,
    [
        Answer(
            200,
            "No pairing is under way any more.",
            answers.DoneSerializer,
            {"success": True, "message": "The pairing was cancelled."},
        )
    ],
    [MAY_NOT_OPERATE, UNKNOWN],
)
DISCONNECT = operation(
    "disconnect",
    "Log out at WhatsApp and delete the credentials",
    TAG,
    [
        Answer(
            200,
            "It is done.",
            answers.DoneSerializer,
            {
                "success": True,
                "message": "WhatsApp disconnected. The saved credentials were deleted.",
            },
        ),
        Answer(
            202,
            "It takes longer. Ask again after `Retry-After` seconds.",
            answers.DisconnectBegunSerializer,
            {
                "success": True,
                "message": "Disconnecting has begun and will be finished shortly.",
                "retryIn": 3000,
            },
        ),
    ],
    [MAY_NOT_OPERATE, UNKNOWN, *BROKE],
)

# --- Test messages ------------------------------------------------------------------------------

SELF_TEST = operation(
    "sendTestMessage",
    "Send a test message to the linked number itself",
    TAG,
    [
        Answer(
            200,
            "WhatsApp took the message.",
            answers.DoneSerializer,
            {"success": True, "message": self_tests.SENT},
        ),
        Answer(
            202,
            "It takes longer. Read the outcome after `Retry-After` seconds.",
            answers.BegunSerializer,
            {"message": self_tests.SENDING, "retryIn": 3000},
        ),
    ],
    [
        MAY_NOT_OPERATE,
        UNKNOWN,
        Problem(409, "not_connected", self_tests.NOT_CONNECTED),
        Problem(429, "too_many_requests", str(TooManyTests(30))),
        *(Problem(503, failure.value, words) for failure, words in self_tests.FAILED.items()),
    ],
)
READ_SELF_TEST = operation(
    "readTestMessage",
    "What came of the newest test message",
    TAG,
    [
        Answer(
            200,
            "The newest one of the number that is linked now; `null` if there is none.",
            answers.SelfTestSerializer,
            {
                "success": True,
                "test": {
                    "state": "sent",
                    "sentence": self_tests.SENT,
                    "at": "2026-03-01T09:30:00+00:00",
                    "by": "alice",
                },
            },
        )
    ],
    [UNKNOWN],
)
