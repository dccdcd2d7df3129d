"""A program: receives webhooks with pywa's own server, and writes a line of JSON for each update.

Arguments: port, phone number id, verify token, app secret, the file to write.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pywa import WhatsApp, types


def main() -> None:
    port, phone_number_id, verify_token, app_secret, path = sys.argv[1:]
    file = Path(path).open("a", buffering=1)  # noqa: SIM115

    def write(kind: str, **about: Any) -> None:
        file.write(json.dumps({"kind": kind, **about}) + "\n")

    wa = WhatsApp(
        phone_id=phone_number_id,
        waba_id=phone_number_id,
        verify_token=verify_token,
        app_secret=app_secret,
        webhook_endpoint="/hook",
    )

    @wa.on_message
    def on_message(_: WhatsApp, message: types.Message) -> None:
        write(
            "message",
            id=message.id,
            type=str(message.type),
            user=message.from_user.wa_id,
            name=message.from_user.name,
            text=message.text,
            caption=message.caption,
            media=message.media.id if message.media else None,
            reply_to=message.reply_to_message.id if message.reply_to_message else None,
            reaction=[message.reaction.message_id, message.reaction.emoji]
            if message.reaction
            else None,
        )

    @wa.on_message_status
    def on_status(_: WhatsApp, status: types.MessageStatus[Any]) -> None:
        write(
            "status",
            id=status.id,
            status=str(status.status),
            user=status.from_user.wa_id,
            tracker=status.tracker,
            error=type(status.error).__name__ if status.error else None,
        )

    @wa.on_edited_message
    def on_edit(_: WhatsApp, edited: types.EditedMessage) -> None:
        write("edit", original=edited.original_message_id, text=edited.message.text)

    @wa.on_deleted_message
    def on_deletion(_: WhatsApp, deleted: types.DeletedMessage) -> None:
        write("deletion", original=deleted.original_message_id)

    @wa.on_outgoing_message
    def on_echo(_: WhatsApp, echo: types.OutgoingMessage) -> None:
        write("echo", user=echo.to_user.wa_id, text=echo.text)

    wa.run(port=int(port), log_level="warning")


if __name__ == "__main__":
    main()
