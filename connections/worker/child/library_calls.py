"""The calls of one client that wait for WhatsApp: messages, queries and downloads.

Calls of different clients run at the same time. Of one client, sends run one after the other, as
the library would send them in any case, and so do queries, and downloads. What each command
answers is in host_process.py.
"""

from __future__ import annotations

import base64
import ctypes
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from connections.worker.child import go_errors, media_size, sent_content
from connections.worker.child import library_messages as messages
from connections.worker.child.call_queue import CallQueue
from connections.worker.child.go_errors import SendFailure
from connections.worker.child.library_lock import LIBRARY
from connections.worker.child.watched_memory import WatchedMemory

Event = dict[str, Any]

USER_SERVER, LID_SERVER = "s.whatsapp.net", "lid"
GONE = ("status code 403", "status code 404", "status code 410")
COMPOSING, PAUSED, TYPES_TEXT = 0, 1, 0


class CallFailed(Exception):
    """A call did not succeed; the message is the answer's `error`."""


class _NotSent(Exception):
    def __init__(self, failure: SendFailure) -> None:
        super().__init__(failure.error)
        self.failure = failure


class LibraryCalls:
    """Queues the calls of one client, and answers them with events."""

    def __init__(
        self,
        library: Any,
        client: bytes,
        get_number: Callable[[], str],
        is_open: Callable[[], bool],
        emit: Callable[[Event], None],
        media_proxy: str = "",
    ) -> None:
        """`is_open`: returns whether the library knows the client. It ends the process if not.

        `media_proxy`: the proxy that the library uses for media, a URL or "".
        """
        self._go = library
        self._client = client
        self._get_number = get_number
        self._is_open = is_open
        self._emit = emit
        self._media_proxy = media_proxy
        self._sends = CallQueue("send")
        self._queries = CallQueue("query")
        self._downloads = CallQueue("download")

    def close(self, seconds: float) -> None:
        """Refuse the calls that wait, and let those that run end within so many seconds."""
        deadline = time.monotonic() + seconds
        for queue in (self._sends, self._queries, self._downloads):
            queue.close()
        for queue in (self._sends, self._queries):
            queue.wait_until_idle(max(0.0, deadline - time.monotonic()))

    # --- Messages --------------------------------------------------------------------------------

    def send(self, key: str, content: Event) -> None:
        """Send a message; "uploaded" comes once its file is, if it has one; "send_done" answers."""

        def run() -> None:
            try:
                answer = self._send(key, content)
            except _NotSent as error:
                answer = _failed_send(error.failure)
            except CallFailed as error:
                answer = _failed_send(SendFailure(str(error)))
            except sent_content.Unsupported:
                answer = _failed_send(SendFailure("unsupported"))
            except Exception:
                answer = _failed_send(SendFailure("failed"))
            self._emit({"event": "send_done", "send": key, **answer})

        def refuse() -> None:
            answer = _failed_send(SendFailure("stopped"))
            self._emit({"event": "send_done", "send": key, **answer})

        self._sends.put(run, refuse)

    def _send(self, key: str, content: Event) -> Event:
        number = self._get_number()
        to = content["to"] or {"user": number, "server": USER_SERVER}
        if to["server"] not in (USER_SERVER, LID_SERVER):
            raise sent_content.Unsupported
        chat, own = f"{to['user']}@{to['server']}", f"{number}@{USER_SERVER}"
        upload = None
        if content["type"] in sent_content.UPLOADS:
            upload = self._upload(content)
            self._emit({"event": "uploaded", "send": key})
        message = sent_content.build(content, chat, own, upload).SerializeToString()
        jid = WatchedMemory(messages.jid(to["user"], to["server"]))
        with self._call(jid.was_read):
            answer = self._go.SendMessage(
                self._client, ctypes.c_char_p(jid.address), jid.size, message, len(message)
            )
        sent_id, at, error = messages.parse_sent(answer)
        if error:
            raise _NotSent(go_errors.send_failure(error))
        return {"id": sent_id, "at": at, "error": "", "code": 0, "maybe_sent": False}

    def _upload(self, content: Event) -> Any:
        """Upload the content's file. The library gets its bytes, never its name."""
        kind = content["type"]
        try:
            with open(content[kind]["path"], "rb") as file:
                data = WatchedMemory(file.read())
        except OSError:
            raise CallFailed("upload_failed") from None
        with self._call(data.was_read):
            answer = self._go.Upload(
                self._client,
                ctypes.c_char_p(data.address),
                data.size,
                sent_content.UPLOADS[kind],
            )
        upload, error = messages.parse_upload(answer)
        if error:
            cause = go_errors.call_error(error)
            raise CallFailed(cause if cause == "not_connected" else "upload_failed")
        return upload

    @contextmanager
    def _call(self, is_past: Callable[[], bool] | None = None) -> Iterator[None]:
        """Protect a call of the library. Raises CallFailed unless it knows the client."""
        with LIBRARY.call() if is_past is None else LIBRARY.call(is_past):
            if not self._is_open():
                raise CallFailed("not_connected")
            yield

    # --- Queries ---------------------------------------------------------------------------------

    def resolve(self, key: str, numbers: list[str]) -> None:
        """Look numbers up at WhatsApp; "resolve_done" answers."""

        def answer(error: str, found: Event) -> None:
            self._emit({"event": "resolve_done", "resolve": key, "error": error, "found": found})

        def run() -> None:
            try:
                found = self._resolve(numbers)
            except CallFailed as error:
                answer(str(error), {})
            except Exception:
                answer("failed", {})
            else:
                answer("", found)

        self._queries.put(run, lambda: answer("stopped", {}))

    def _resolve(self, numbers: list[str]) -> Event:
        """Return for each number its LID and the account's own number, None if it has none."""
        with self._call():
            found, error = messages.parse_found_numbers(
                self._go.IsOnWhatsApp(self._client, " ".join(numbers).encode())
            )
        if error:
            raise CallFailed(go_errors.call_error(error))
        result: Event = dict.fromkeys(numbers)
        for number, lid in found.items():
            jid = messages.jid(lid, LID_SERVER)
            with self._call():
                phone = messages.parse_stored_jid(
                    self._go.GetPNFromLID(self._client, jid, len(jid))
                )
            result[number] = {"lid": lid, "phone": phone}
        return result

    def mark_read(self, key: str, ids: list[str], chat: str, sender: str, played: bool) -> None:
        """Tell the sender that messages were read, or played; "mark_read_done" answers."""

        def call() -> bytes:
            to, by = messages.parse_jid(chat), messages.parse_jid(sender)
            kind = b"played" if played else b"read"
            at = int(time.time())
            listed = " ".join(ids).encode()
            found: bytes = self._go.MarkRead(
                self._client, listed, at, to, len(to), by, len(by), kind
            )
            return found

        def answer(error: str) -> None:
            self._emit({"event": "mark_read_done", "mark_read": key, "error": error})

        self._put(call, answer)

    def typing(self, chat: str, on: bool) -> None:
        """Show the chat that this account types, or does not any more; "call_failed" if not."""

        def call() -> bytes:
            to = messages.parse_jid(chat)
            state = COMPOSING if on else PAUSED
            found: bytes = self._go.SendChatPresence(self._client, to, len(to), state, TYPES_TEXT)
            return found

        def answer(error: str) -> None:
            if error:
                self._emit({"event": "call_failed", "what": "typing", "error": error})

        self._put(call, answer)

    def _put(self, call: Callable[[], bytes], answer: Callable[[str], None]) -> None:
        """Queue a call that returns the library's error. `answer` gets ours, "" for none."""

        def run() -> None:
            try:
                with self._call():
                    error = call().decode(errors="replace")
            except CallFailed as failed:
                answer(str(failed))
            except Exception:
                answer("failed")
            else:
                answer(go_errors.call_error(error) if error else "")

        self._queries.put(run, lambda: answer("stopped"))

    # --- Downloads -------------------------------------------------------------------------------

    def download(self, key: str, media: str, path: str, limit: int) -> None:
        """Download a message's media into a file; "download_done" answers."""

        def answer(error: str, size: int = 0, mime_type: str = "") -> None:
            done = {"size": size, "error": error, "mime_type": mime_type}
            self._emit({"event": "download_done", "download": key, **done})

        def run() -> None:
            try:
                size, mime_type = self._download(base64.b64decode(media), path, limit)
            except CallFailed as error:
                answer(str(error))
            except Exception:
                answer("failed")
            else:
                answer("", size, mime_type)

        self._downloads.put(run, lambda: answer("failed"))

    def _download(self, message: bytes, path: str, limit: int) -> tuple[int, str]:
        part, media_type, message = messages.media_of(message)
        if part is None:
            raise CallFailed("failed")
        if part.fileLength > limit or self._real_size(part, media_type, limit) > limit:
            raise CallFailed("too_large")
        with self._call():
            answer = self._go.DownloadAny(self._client, message, len(message))
        data, error = messages.parse_download(answer)
        if error:
            raise CallFailed("gone" if any(text in error for text in GONE) else "failed")
        if len(data) > limit:
            raise CallFailed("too_large")
        # The worker made the file, and has removed it if it does not wait for it any more.
        descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW)
        with open(descriptor, "wb") as file:
            file.write(data)
        return len(data), part.mimetype

    def _real_size(self, part: Any, media_type: str, limit: int) -> int:
        """Return about how large media really is. Raises CallFailed."""
        try:
            return media_size.real_size(part, media_type, limit, self._media_proxy)
        except media_size.MediaGone:
            raise CallFailed("gone") from None
        except OSError:
            raise CallFailed("failed") from None


def _failed_send(failure: SendFailure) -> Event:
    return {
        "id": "",
        "at": 0,
        "error": failure.error,
        "code": failure.code,
        "maybe_sent": failure.maybe_sent,
    }
