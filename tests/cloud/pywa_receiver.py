"""A program: receives webhooks with pywa's own server, and writes a line of JSON for each update.

Arguments: port, phone number id, verify token, app secret, the file to write.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pywa import handlers
from pywa.client import WhatsApp
from pywa.types.message import DeletedMessage, EditedMessage, Message, OutgoingMessage
from pywa.types.message_status import MessageStatus


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

    def on_message(_: WhatsApp, message: Message) -> None:
        replied, reaction = message.reply_to_message, message.reaction
        write(
            "message",
            id=message.id,
            type=str(message.type),
            user=message.from_user.wa_id,
            name=message.from_user.name,
            text=message.text,
            caption=message.caption,
            media=message.media.id if message.media else None,
            reply_to=replied.id if replied else None,
            reaction=[reaction.message_id, reaction.emoji] if reaction else None,
        )

    def on_status(_: WhatsApp, status: MessageStatus[Any]) -> None:
        write(
            "status",
            id=status.id,
            status=str(status.status),
            user=status.from_user.wa_id,
            tracker=status.tracker,
            error=type(status.error).__name__ if status.error else None,
        )

    def on_edit(_: WhatsApp, edited: EditedMessage) -> None:
        write("edit", original=edited.original_message_id, text=edited.message.text)

    def on_deletion(_: WhatsApp, deleted: DeletedMessage) -> None:
        write("deletion", original=deleted.original_message_id)

    def on_echo(_: WhatsApp, echo: OutgoingMessage) -> None:
        write("echo", user=echo.to_user.wa_id, text=echo.text)

    wa.add_handlers(
        handlers.MessageHandler(on_message),
        handlers.MessageStatusHandler(on_status),
        handlers.EditedMessageHandler(on_edit),
        handlers.DeletedMessageHandler(on_deletion),
        handlers.OutgoingMessageHandler(on_echo),
    )
    wa.run(port=int(port), log_level="warning")


if __name__ == "__main__":
    main()
