"""Converts to and from neonize's protobuf messages, which the Go library takes and returns.

neonize.proto is imported inside the functions: `neonize_gateway.preload` makes it importable.
"""

from __future__ import annotations

import ctypes
from typing import Any

from connections.worker.child.library_contract import (
    BANNED,
    CONNECTED,
    FAILED,
    KEEPALIVE_RESTORED,
    KEEPALIVE_TIMEOUT,
    LOGGED_OUT,
    LOST,
    OUTDATED,
    REPLACED,
)

Event = dict[str, Any]

# WhatsApp accepts only "Browser (System)" here, with a browser that it knows.
BROWSER, CHROME = "Chrome (Linux)", 1
# A client without a spool (received.py) subscribes to these alone.
SUBSCRIBED = bytes(
    [CONNECTED, KEEPALIVE_TIMEOUT, KEEPALIVE_RESTORED]
    + [LOGGED_OUT, REPLACED, BANNED, FAILED, OUTDATED, LOST]
)
# There is no connection after these.
UNLINKED = (LOGGED_OUT, REPLACED, BANNED, FAILED, OUTDATED, LOST)
# The library's error when none of the numbers is on WhatsApp.
NOTHING_FOUND = "Function returned nothing."
# The media host's names of what messages carry.
MMS_TYPES = {
    "imageMessage": "image",
    "stickerMessage": "image",
    "videoMessage": "video",
    "audioMessage": "audio",
    "documentMessage": "document",
}
PLAIN_EVENTS = {
    CONNECTED: "connected",
    KEEPALIVE_TIMEOUT: "silent",
    KEEPALIVE_RESTORED: "restored",
    REPLACED: "replaced",
    OUTDATED: "outdated",
    LOST: "lost",
}


def device_props(name: str) -> bytes:
    """Return the properties of this device, with the name that the phone shows."""
    from neonize.proto.waCompanionReg import WAWebProtobufsCompanionReg_pb2 as registration

    kind = registration.DeviceProps
    props: bytes = kind(os=name, platformType=kind.DESKTOP).SerializeToString()
    return props


def account_of(data: bytes) -> tuple[str, str]:
    """Return the digits of the number and of the LID of the device in a DEVICE event."""
    from neonize.proto import Neonize_pb2 as messages

    device = messages.Device.FromString(data)
    return str(device.JID.User), str(device.LID.User)


def parse_event(kind: int, data: bytes) -> Event:
    """Return an event of the library, except DEVICE, as `library_client.Client` emits it."""
    from neonize.proto import Neonize_pb2 as messages

    if kind == LOGGED_OUT:
        gone = messages.LoggedOut.FromString(data)
        reason = messages.ConnectFailureReason.Name(gone.Reason)
        return {"event": "logged_out", "while_offline": gone.OnConnect, "reason": reason}
    if kind == BANNED:
        ban = messages.TemporaryBan.FromString(data)
        return {"event": "banned", "code": int(ban.Code), "seconds": int(ban.Expire)}
    if kind == FAILED:
        failure = messages.ConnectFailure.FromString(data)
        return {"event": "failed", "reason": messages.ConnectFailureReason.Name(failure.Reason)}
    return {"event": PLAIN_EVENTS[kind]}


def parse_log_entry(binary: int, size: int) -> tuple[str, str]:
    """Return the module and the message of a line of the library's log."""
    from neonize.proto import Neonize_pb2 as messages

    entry = messages.LogEntry.FromString(ctypes.string_at(binary, size))
    return str(entry.Name), str(entry.Message)


def jid(user: str, server: str) -> bytes:
    """Return a JID without a device, as the library takes it."""
    from neonize.proto import Neonize_pb2 as messages

    found: bytes = messages.JID(
        User=user, Server=server, RawAgent=0, Device=0, Integrator=0, IsEmpty=not user
    ).SerializeToString()
    return found


def parse_jid(text: str) -> bytes:
    """Return a JID that is written USER@SERVER, or "", as the library takes it."""
    user, _, server = text.partition("@")
    return jid(user.partition(":")[0], server)


def parse_sent(data: bytes) -> tuple[str, int, str]:
    """Return the id, the time in Unix seconds and the error of a sent message."""
    from neonize.proto import Neonize_pb2 as messages

    answer = messages.SendMessageReturnFunction.FromString(data)
    return answer.SendResponse.ID, answer.SendResponse.Timestamp, answer.Error


def parse_upload(data: bytes) -> tuple[Any, str]:
    """Return what the library says about uploaded media, and the error."""
    from neonize.proto import Neonize_pb2 as messages

    answer = messages.UploadReturnFunction.FromString(data)
    return answer.UploadResponse, answer.Error


def parse_download(data: bytes) -> tuple[bytes, str]:
    """Return downloaded media, and the error."""
    from neonize.proto import Neonize_pb2 as messages

    answer = messages.DownloadReturnFunction.FromString(data)
    return answer.Binary, answer.Error


def parse_found_numbers(data: bytes) -> tuple[dict[str, str], str]:
    """Return the numbers that are on WhatsApp with the user part of their LID, and the error."""
    from neonize.proto import Neonize_pb2 as messages

    answer = messages.IsOnWhatsAppReturnFunction.FromString(data)
    found = {one.Query: one.JID.User for one in answer.IsOnWhatsAppResponse if one.IsIn}
    return found, "" if answer.Error == NOTHING_FOUND else answer.Error


def parse_stored_jid(data: bytes) -> str:
    """Return the user part of a JID from the library's store, "" if it has none."""
    from neonize.proto import Neonize_pb2 as messages

    return str(messages.GetJIDFromStoreReturnFunction.FromString(data).Jid.User)


def media_of(message: bytes) -> tuple[Any, str, bytes]:
    """Return the part of a message that has media, None without, and the media host's type of it.

    The last value is the message as the library's download takes it.
    """
    from neonize.proto.waE2E import WAWebProtobufsE2E_pb2 as e2e

    found = e2e.Message.FromString(message)
    if found.HasField("ptvMessage"):
        # That does not know round videos, which have the fields and keys of other videos.
        found.videoMessage.CopyFrom(found.ptvMessage)
        found.ClearField("ptvMessage")
    for field, part in found.ListFields():
        if field.name in MMS_TYPES:
            return part, MMS_TYPES[field.name], found.SerializeToString()
    return None, "", b""


def request_phone_code(go: Any, client: bytes, number: str) -> Event:
    """Ask for a code to type on the phone with a number (digits). Return the answer as an event."""
    from neonize.proto import Neonize_pb2 as messages

    request = messages.PairPhoneParams(
        phone=number,
        showPushNotification=True,
        clientDisplayName=BROWSER,
        clientType=CHROME,
    ).SerializeToString()
    answer = messages.PairPhoneReturnFunction.FromString(
        go.PairPhone(client, request, len(request))
    )
    if answer.Error:
        return {"event": "phone_code_failed", "error": answer.Error}
    return {"event": "phone_code", "code": answer.Code}
