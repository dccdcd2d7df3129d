"""Parses lines of the Go library's log for facts that none of its events carries.

The lines hold numbers, codes and keys, so the host process reads and drops them. The phrases are
those of the pinned version: library_contract.py lists them.
"""

from __future__ import annotations

import re
from typing import Any

from connections.worker.child.routes import scrub

Event = dict[str, Any]

# A linked client's log is read from INFO on. A pairing needs the stanzas, which are DEBUG.
LINKED_LEVEL, PAIRING_LEVEL = b"INFO", b"DEBUG"

AUTHENTICATED = "Successfully authenticated"
RESTARTING = "Got 515 code, reconnecting..."
RELINK_FAILED = re.compile(
    r"(?:Error reconnecting after autoreconnect sleep|Failed to reconnect after 515 code): (.*)",
    re.DOTALL,
)
BANNED, BAN_NUMBER = "Temporary ban connect failure: ", re.compile(r' (code|expire)="(\d{1,10})"')
REFUSED = re.compile(r"Got (\d+)/.* connect failure, assuming automatic reconnect")
# It confirms such a message once more, and drops it. The sender chooses the id.
JID = r"[0-9A-Za-z_.:-]+@[a-z.]+"
REPEATED = re.compile(
    rf"Ignoring message ([0-9A-Za-z_.:-]+) from (?:({JID}) in )?({JID}): "
    r"(?:failed [a-z ]+: )*received message with old counter"
    r"(?: \(index: \d+, count: \d+\))?\Z"
)
HISTORY_FAILED = ("Failed to download history sync", "History sync handler panicked")
NOT_PAIRED = re.compile(r"Failed to pair device: (.*)", re.DOTALL)
CODES = re.compile(r"<iq [^>]*><pair-device>(.*)</pair-device>", re.DOTALL)
PASSKEY = re.compile(r'<notification [^>]*\btype="passkey_prologue_request"')


def parse_line(module: str, message: str) -> Event | None:
    """Return the event that a log line reports, or None.

    authenticated · restarting · relink_failed (error) · failed (reason: the status as digits) ·
    banned (code, seconds; 0 for what it does not say) ·
    repeated (id, sender, chat: of a message that was decrypted before) · history_failed ·
    not_paired (error) ·
    codes (count: how many QR codes WhatsApp gave) · passkey
    """
    if module.endswith("/Recv"):
        return _parse_stanza(message)
    if message.startswith(AUTHENTICATED):
        return {"event": "authenticated"}
    if message.startswith(RESTARTING):
        return {"event": "restarting"}
    if found := RELINK_FAILED.match(message):
        return {"event": "relink_failed", "error": scrub(found[1])}
    if found := REPEATED.match(message):
        message_id, sender, chat = found.groups()
        return {"event": "repeated", "id": message_id, "sender": sender or chat, "chat": chat}
    if message.startswith(HISTORY_FAILED):
        return {"event": "history_failed"}
    if found := NOT_PAIRED.match(message):
        return {"event": "not_paired", "error": found[1]}
    if message.startswith(BANNED):
        ban = dict(BAN_NUMBER.findall(message))
        seconds = int(ban.get("expire", 0))
        return {"event": "banned", "code": int(ban.get("code", 0)), "seconds": seconds}
    if found := REFUSED.match(message):
        return {"event": "failed", "reason": found[1]}
    return None


def _parse_stanza(stanza: str) -> Event | None:
    if found := CODES.match(stanza):
        return {"event": "codes", "count": found[1].count("<ref>")}
    if PASSKEY.match(stanza):
        return {"event": "passkey"}
    return None
