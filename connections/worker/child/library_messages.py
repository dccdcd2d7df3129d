"""Converts to and from neonize's protobuf messages, which the Go library takes and returns.

neonize.proto is imported inside the functions: `neonize_gateway.preload` makes it importable.
"""

from __future__ import annotations

import ctypes
from typing import Any

from connections.worker.child import go_errors

Event = dict[str, Any]

# WhatsApp accepts only "Browser (System)" here, with a browser that it knows.
BROWSER, CHROME = "Chrome (Linux)", 1
# neonize's numbers for its events. DEVICE needs no subscription; it means WhatsApp was reached.
DEVICE, CONNECTED, KEEPALIVE_TIMEOUT, KEEPALIVE_RESTORED = 0, 3, 4, 5
LOGGED_OUT, REPLACED, BANNED, FAILED, OUTDATED, LOST = 6, 7, 8, 9, 10, 12
# The worker subscribes to these alone: people's messages never leave the Go library.
SUBSCRIBED = bytes(
    [CONNECTED, KEEPALIVE_TIMEOUT, KEEPALIVE_RESTORED]
    + [LOGGED_OUT, REPLACED, BANNED, FAILED, OUTDATED, LOST]
)
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


def number_of(data: bytes) -> str:
    """Return the digits of the device in a DEVICE event."""
    from neonize.proto import Neonize_pb2 as messages

    return str(messages.Device.FromString(data).JID.User)


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


def send_text(go: Any, client: bytes, number: str, text: str) -> dict[str, str]:
    """Send a text to a number (digits). Return the message's `id`, or "" and an `error`."""
    from neonize.proto import Neonize_pb2 as messages
    from neonize.proto.waE2E import WAWebProtobufsE2E_pb2 as e2e

    to = messages.JID(
        User=number,
        Server="s.whatsapp.net",
        RawAgent=0,
        Device=0,
        Integrator=0,
        IsEmpty=False,
    ).SerializeToString()
    message = e2e.Message(conversation=text).SerializeToString()
    answer = messages.SendMessageReturnFunction.FromString(
        go.SendMessage(client, to, len(to), message, len(message))
    )
    if answer.Error:
        return {"id": "", "error": go_errors.send_error(answer.Error)}
    return {"id": answer.SendResponse.ID, "error": ""}


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
