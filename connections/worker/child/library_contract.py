"""All that depends on the version of neonize: what we rely on in its Go library, in one table.

`make try-neonize VERSION=…` holds it against another version (tests/upgrade/), and the suite
against the pinned one. To raise the version, see CONTRIBUTING.md. Nothing of neonize is imported.
"""

from __future__ import annotations

import ctypes
from ctypes import c_bool, c_char_p, c_int, c_void_p
from dataclasses import dataclass
from typing import Any

VERSION = "0.5.2"

CHILD = "connections/worker/child"


# --- Structures and functions of the Go library --------------------------------------------------

# The types of the callbacks that the library calls.
TextCallback = ctypes.CFUNCTYPE(None, c_void_p, c_void_p)
EventCallback = ctypes.CFUNCTYPE(None, c_char_p, c_void_p, c_int, c_int)
LogCallback = ctypes.CFUNCTYPE(None, c_void_p, c_int)


class Bytes(ctypes.Structure):
    """A result of the library that may hold any byte."""

    _fields_ = [("ptr", c_void_p), ("size", ctypes.c_size_t)]


class ProxySettings(ctypes.Structure):
    """The proxy of a client's next connection, and the traffic that uses it."""

    _fields_ = [
        ("address", c_char_p),
        ("no_websocket", c_bool),
        ("only_login", c_bool),
        ("no_media", c_bool),
    ]


_BytesPointer = ctypes.POINTER(Bytes)
_BoolCall = ctypes.CFUNCTYPE(c_bool, c_char_p)
_TextCall = ctypes.CFUNCTYPE(c_void_p, c_char_p)
_Query = ctypes.CFUNCTYPE(_BytesPointer, c_char_p, c_char_p, c_int)


@dataclass(frozen=True)
class Function:
    """A function of the library. `result`: "text" or "data" if it is memory that we free.

    `use`: what we need it for. `bound`: whether neonize's own binding declares it, too.
    """

    kind: Any
    use: str
    result: str = ""
    bound: bool = True


FUNCTIONS = {
    "Neonize": Function(
        ctypes.CFUNCTYPE(
            c_void_p,
            *(c_char_p, c_char_p, c_char_p, c_int, c_int, c_char_p),
            *(TextCallback, TextCallback, EventCallback, LogCallback),
            *(c_char_p, c_int, c_char_p, c_int, c_char_p, c_int, c_void_p),
        ),
        "start a client",
        "text",
    ),
    "GetAllDevices": Function(
        ctypes.CFUNCTYPE(c_void_p, c_char_p, LogCallback), "create a store's tables", "text"
    ),
    "Stop": Function(_TextCall, "stop a client", "text"),
    "Logout": Function(_TextCall, "unlink the device at WhatsApp", "text"),
    "SetProxyAddress": Function(
        ctypes.CFUNCTYPE(c_void_p, c_char_p, ctypes.POINTER(ProxySettings)),
        "say when a client may reconnect, and through which proxy",
        "text",
    ),
    "IsConnected": Function(_BoolCall, "find clients that are down"),
    "IsLoggedIn": Function(_BoolCall, "find clients that are down"),
    "Disconnect": Function(ctypes.CFUNCTYPE(c_int, c_char_p), "end a link before a stop"),
    "SendMessage": Function(
        ctypes.CFUNCTYPE(_BytesPointer, c_char_p, c_char_p, c_int, c_char_p, c_int),
        "send messages",
        "data",
    ),
    "Upload": Function(
        ctypes.CFUNCTYPE(_BytesPointer, c_char_p, c_char_p, c_int, c_int), "upload media", "data"
    ),
    "DownloadAny": Function(_Query, "download media", "data"),
    "IsOnWhatsApp": Function(
        ctypes.CFUNCTYPE(_BytesPointer, c_char_p, c_char_p), "look numbers up", "data"
    ),
    "GetPNFromLID": Function(_Query, "find the number of a hidden identity", "data"),
    "MarkRead": Function(
        ctypes.CFUNCTYPE(
            *(c_void_p, c_char_p, c_char_p, c_int, c_char_p, c_int, c_char_p, c_int, c_char_p)
        ),
        "mark messages as read",
        "text",
    ),
    "SendChatPresence": Function(
        ctypes.CFUNCTYPE(c_void_p, c_char_p, c_char_p, c_int, c_int, c_int),
        "show that someone types",
        "text",
    ),
    "PairPhone": Function(_Query, "get a code to type on the phone", "data"),
    "GetVersion": Function(ctypes.CFUNCTYPE(c_char_p), "refuse another version", bound=False),
    "FreeString": Function(ctypes.CFUNCTYPE(None, c_void_p), "free texts", bound=False),
    "FreeBytesStruct": Function(ctypes.CFUNCTYPE(None, _BytesPointer), "free data", bound=False),
    "sqlite3_config": Function(
        ctypes.CFUNCTYPE(c_int, c_int, c_void_p, c_int, c_int), "save memory in SQLite", bound=False
    ),
}

# --- Events: neonize's numbers --------------------------------------------------------------------

# DEVICE needs no subscription; it means WhatsApp was reached.
DEVICE, CONNECTED, KEEPALIVE_TIMEOUT, KEEPALIVE_RESTORED = 0, 3, 4, 5
LOGGED_OUT, REPLACED, BANNED, FAILED, OUTDATED, LOST = 6, 7, 8, 9, 10, 12
HISTORY, MESSAGE, RECEIPT, UNDECRYPTABLE = 13, 17, 18, 44

EVENT_NAMES = {
    DEVICE: "Device",
    CONNECTED: "Connected",
    KEEPALIVE_TIMEOUT: "KeepAliveTimeout",
    KEEPALIVE_RESTORED: "KeepAliveRestored",
    LOGGED_OUT: "LoggedOut",
    REPLACED: "StreamReplaced",
    BANNED: "TemporaryBan",
    FAILED: "ConnectFailure",
    OUTDATED: "ClientOutdated",
    LOST: "Disconnected",
    HISTORY: "HistorySync",
    MESSAGE: "Message",
    RECEIPT: "Receipt",
    UNDECRYPTABLE: "UndecryptableMessage",
}
"""The messages of neonize's protocol that carry them."""

# --- Fields of messages that are exchanged with the library ---------------------------------------

NEONIZE = "neonize.proto.Neonize_pb2"
E2E = "neonize.proto.waE2E.WAWebProtobufsE2E_pb2"
COMMON = "neonize.proto.waCommon.WACommon_pb2"
REGISTRATION = "neonize.proto.waCompanionReg.WAWebProtobufsCompanionReg_pb2"
_UPLOADED = "URL directPath mediaKey fileEncSHA256 fileSHA256 fileLength mediaKeyTimestamp mimetype"

FIELDS: dict[str, dict[str, str]] = {
    NEONIZE: {
        "JID": "User Server RawAgent Device Integrator IsEmpty",
        "Device": "JID LID",
        "LoggedOut": "Reason OnConnect",
        "TemporaryBan": "Code Expire",
        "ConnectFailure": "Reason",
        "LogEntry": "Name Message",
        "Message": "Info Message RetryCount",
        "MessageInfo": "MessageSource ID Timestamp Pushname Category Edit",
        "MessageSource": "Chat Sender SenderAlt RecipientAlt IsFromMe IsGroup",
        "Receipt": "MessageSource MessageIDs Type Timestamp",
        "UndecryptableMessage": "Info IsUnavailable",
        "SendMessageReturnFunction": "SendResponse Error",
        "SendResponse": "ID Timestamp",
        "UploadReturnFunction": "UploadResponse Error",
        "UploadResponse": "url DirectPath MediaKey FileEncSHA256 FileSHA256 FileLength",
        "DownloadReturnFunction": "Binary Error",
        "IsOnWhatsAppReturnFunction": "IsOnWhatsAppResponse Error",
        "IsOnWhatsAppResponse": "Query JID IsIn",
        "GetJIDFromStoreReturnFunction": "Jid",
        "PairPhoneParams": "phone showPushNotification clientDisplayName clientType",
        "PairPhoneReturnFunction": "Code Error",
    },
    E2E: {
        "Message": "conversation extendedTextMessage imageMessage videoMessage ptvMessage "
        "audioMessage documentMessage stickerMessage locationMessage liveLocationMessage "
        "contactMessage contactsArrayMessage reactionMessage protocolMessage editedMessage "
        "messageContextInfo",
        "MessageContextInfo": "messageSecret",
        "ContextInfo": "stanzaID participant quotedMessage",
        "ExtendedTextMessage": "text contextInfo matchedText title description JPEGThumbnail",
        "ImageMessage": f"{_UPLOADED} caption contextInfo",
        "VideoMessage": f"{_UPLOADED} caption seconds contextInfo",
        "AudioMessage": f"{_UPLOADED} PTT seconds contextInfo",
        "DocumentMessage": f"{_UPLOADED} fileName title caption contextInfo",
        "StickerMessage": f"{_UPLOADED} contextInfo",
        "LocationMessage": "degreesLatitude degreesLongitude name address contextInfo",
        "ContactMessage": "displayName vcard contextInfo",
        "ContactsArrayMessage": "displayName contacts contextInfo",
        "ReactionMessage": "key text senderTimestampMS",
        "ProtocolMessage": "key type editedMessage timestampMS",
        "FutureProofMessage": "message",
    },
    COMMON: {"MessageKey": "remoteJID fromMe ID participant"},
    REGISTRATION: {"DeviceProps": "os platformType"},
}

HISTORY_FIELDS = {
    "HistorySync.Data": 1,
    "HistorySync.conversations": 2,
    "Conversation.ID": 1,
    "Conversation.messages": 2,
    "HistorySyncMsg.message": 1,
    "WebMessageInfo.key": 1,
    "WebMessageInfo.messageSecret": 49,
    "MessageKey.ID": 3,
}
"""The numbers of the fields by which history.py reads a history, from its event down.

`HistorySync` is the event (neonize's), and what it carries (WhatsApp's).
"""

# --- Texts: the library has no codes for these ----------------------------------------------------


@dataclass(frozen=True)
class Text:
    """A constant part of a text in the library, and what we conclude from it."""

    text: str
    meaning: str


ERROR_TEXTS = (
    Text("required field", "WhatsApp's answer or a receipt cannot be read"),
    Text("failed to upgrade database", "the stores' PostgreSQL is away"),
    Text("no LID found for ", "a number is not on WhatsApp"),
    Text("client is nil", "a client was stopped"),
    Text("the store doesn't contain a device JID", "a message never left"),
    Text("timed out waiting for message send response", "a message may have been sent"),
    Text("websocket disconnected before %s returned response", "whether a message may be sent"),
    Text("websocket not connected", "whether a message may have been sent"),
    Text("frame socket is closed", "whether a message may have been sent"),
    Text("info query timed out", "a message never left"),
    Text("frame too large", "a message never left"),
    Text("failed to send message node", "a message may have been sent"),
    Text("server returned error", "WhatsApp refused a message, with its code"),
    Text("message recipient must be a user JID", "a message never left"),
    Text("download failed with status code", "media is gone at WhatsApp"),
    Text("Function returned nothing.", "no number of a query is on WhatsApp"),
)
"""Errors that go_errors.py, library_calls.py and library_messages.py read."""

LOG_TEXTS = (
    Text("Successfully authenticated", "a login was accepted, and may not be repeated at once"),
    Text("Got 515 code, reconnecting...", "WhatsApp asks for a restart"),
    Text("Error reconnecting after autoreconnect sleep: %v", "a reconnect failed"),
    Text("Failed to reconnect after 515 code: %v", "a reconnect failed"),
    Text("Got %d/%s connect failure, assuming automatic reconnect will handle it", "a refusal"),
    Text("Temporary ban connect failure: %s", "a ban with a code that neonize does not know"),
    Text("Ignoring message %s from %s: %v", "a message came again; it may be lost"),
    Text("received message with old counter", "a message came again"),
    Text("(index: %d, count: %d)", "a message came again"),
    Text("Failed to download history sync: %v", "an announced history does not come"),
    Text("History sync handler panicked: %v", "an announced history does not come"),
    Text("Failed to pair device: %v", "a phone was not linked"),
    Text("invalid device identity HMAC in pair success message", "a phone was not verified"),
    Text("invalid device signature in pair success message", "a phone was not verified"),
    Text("passkey_prologue_request", "a phone asks for a passkey"),
    Text("pair-device", "how many QR codes WhatsApp gave"),
)
"""Lines of its log that library_log.py reads."""

# --- The stores' tables, and bytes that are changed in memory -------------------------------------

TABLES = {
    "whatsmeow_version": "version compat",
    "whatsmeow_device": "jid lid",
    "whatsmeow_message_secrets": "chat_jid sender_jid message_id key",
    "whatsmeow_app_state_version": "jid name",
}
"""Tables and columns that connections/stores/ and the search for lost messages read."""

# A required field of its description of events (google.protobuf.FieldDescriptorProto), which
# receipt_types.py makes optional: name, number, label, type.
NAME_AND_NUMBER, LABEL = b"\n\x04Type\x18\x04", b" "
REST = b"(\x0e2\x1c.neonize.Receipt.ReceiptType"
OPTIONAL, REQUIRED = b"\x01", b"\x02"
RECEIPT_TYPE_FIELD = NAME_AND_NUMBER + LABEL + REQUIRED + REST
