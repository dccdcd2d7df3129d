"""A WhatsApp client in this process, run by neonize's Go library.

It calls the library (go_library.py) rather than neonize's `NewClient`, for three measured reasons:
importing all of neonize takes 0.5 s and twice the memory; `NewClient.connect` polls five times a
second for each client; and only a private callback of it gets the outcome of a pairing. The version
is pinned for this.

The Go library keeps its clients in maps without a lock. So one lock is held from a start to its
first callback, around every stop and around every call.
"""

import ctypes
import threading
import uuid
from collections.abc import Callable
from typing import Any

from connections.worker.child import go_errors, go_library, library_log, relinking
from connections.worker.child import library_messages as messages

Event = dict[str, Any]
Emit = Callable[[Event], None]

# A start writes the library's maps from its first lines on; a dial without an answer comes later.
FIRST_CALLBACK_SECONDS = 4.0
LOOKUP_SECONDS = 1.0
# How long a thread of the library may wait until another client's start or stop is over.
LOCK_TIMEOUT_SECONDS = 5.0

_lock = threading.Lock()


class Client:
    """Runs one WhatsApp client. Its events go to `emit`, from the Go library's threads.

    Events, each a dict with "event": reached (WhatsApp answers) · code (code) · phone_code (code) ·
    phone_code_failed (error) · accepted · pairing_ended (outcome) ·
    connected (number: digits) · lost · silent · restored · logged_out (while_offline, reason) ·
    replaced · outdated · banned (code, seconds) · failed (reason) · logout_done (error) ·
    test_done (see `send_test`) · ended (error: why connecting failed, "" after a stop; cause: what
    failed, one of go_errors.CAUSES) · and those of library_log.py but "restarting".

    `pairing`: it links a phone, so its log includes the stanzas. A linked client may not reconnect
    by itself before `allow_relink` (relinking.py), but once for a restart that WhatsApp asks for.
    """

    def __init__(
        self,
        library: go_library.GoLibrary,
        database: str,
        device_name: str,
        emit: Emit,
        pairing: bool = False,
    ) -> None:
        self._go = library
        # A new one for each client: the library stops a client when another one has its name.
        self._uuid = uuid.uuid4().hex.encode()
        self._database = go_library.address_of(database)
        self._device_name = device_name
        self._emit = emit
        self._number = ""
        self._called_back = threading.Event()
        self._stopping = threading.Lock()
        self._reached = self._over = self._stop_requested = False
        self._pairing = pairing
        self._starting = self._may_restart = True
        self._start_lock = threading.Lock()
        self._callbacks = (
            go_library.TextCallback(self._reporting_errors(self._on_code)),
            go_library.TextCallback(self._reporting_errors(self._on_login_status)),
            go_library.EventCallback(self._reporting_errors(self._on_event)),
            go_library.LogCallback(self._reporting_errors(self._on_log, marks_start=False)),
        )

    def start(self) -> None:
        """Resume the store's device, or pair when it has none. Wait for the first callback."""
        with _lock:
            threading.Thread(target=self._run, name="neonize", daemon=True).start()
            self._called_back.wait(FIRST_CALLBACK_SECONDS)
            with self._start_lock:
                self._starting = False

    def allow_relink(self) -> None:
        """Let the library reconnect by itself, once, when the link is lost."""
        proxy = relinking.configured_proxy()
        if proxy is not None:
            self._may_restart = True
            with _lock:
                self._set_proxy(proxy)

    def _set_proxy(self, proxy: str) -> None:
        """Set the proxy of the next connection, not of media. The caller holds the lock."""
        settings = go_library.ProxySettings(proxy.encode(), False, False, True)
        self._go.SetProxyAddress(self._uuid, ctypes.byref(settings))

    def _refuse_relink(self) -> None:
        """Refuse reconnects from the login on: WhatsApp may drop it at once."""
        with self._start_lock:
            if self._starting:
                # The start waits for this callback, and holds the lock.
                return self._set_proxy(relinking.REFUSING_PROXY)
        self._called_back.set()
        self._set_proxy_soon(relinking.REFUSING_PROXY)

    def _set_proxy_soon(self, proxy: str) -> None:
        """Call `_set_proxy` on a thread of the library, which must not block for long."""
        if _lock.acquire(timeout=LOCK_TIMEOUT_SECONDS):
            try:
                self._set_proxy(proxy)
            finally:
                _lock.release()

    def stop(self) -> None:
        """Close the socket, keeping the credentials.

        A client that still dials is stopped after the dial: the library would forget it at once,
        but the dial would go on and end in a connection that no client holds.
        """
        with self._stopping:
            self._stop_requested = True
            if not (self._reached or self._over):
                return
        self._stop()

    def _stop(self) -> None:
        with _lock:
            self._go.Stop(self._uuid)

    def _stop_if_requested(self) -> None:
        """Stop on a thread of ours: the library's own would wait for itself."""
        with self._stopping:
            if self._stop_requested:
                threading.Thread(target=self._stop, name="stop", daemon=True).start()

    def is_connected(self) -> bool:
        """Return whether the library says that it is connected and logged in."""
        with _lock:
            return bool(self._go.IsConnected(self._uuid) and self._go.IsLoggedIn(self._uuid))

    def logout(self) -> None:
        """Unlink this device at WhatsApp; "logout_done" (error, "" if none) answers.

        Without an answer of WhatsApp that takes 75 s.
        """

        def call() -> None:
            answer: bytes = self._go.Logout(self._uuid)
            self._emit({"event": "logout_done", "error": answer.decode(errors="replace")})

        self._call_in_thread("logout", call)

    def send_test(self, test: int, text: str) -> None:
        """Send a text to the linked number itself; "test_done" answers.

        `id` is the message's, or "" with an `error` of go_errors.SEND_ERRORS. Without an
        answer of WhatsApp that takes 75 s.
        """

        def call() -> None:
            try:
                sent = messages.send_text(self._go, self._uuid, self._number, text)
            except Exception as error:
                sent = {"id": "", "error": type(error).__name__}
            self._emit({"event": "test_done", "test": test, **sent})

        self._call_in_thread("send test", call)

    def _call_in_thread(self, name: str, call: Callable[[], None]) -> None:
        """Make a call of the library that may take long, in a new thread.

        The library looks its client up at the very start of the call, so the lock is not held for
        longer than a usual answer takes.
        """
        done = threading.Event()

        def run() -> None:
            try:
                call()
            finally:
                done.set()

        with _lock:
            threading.Thread(target=run, name=name, daemon=True).start()
            done.wait(LOOKUP_SECONDS)

    def pair_phone(self, number: str) -> None:
        """Ask for a code to type on the phone with this number (digits), once a QR code was shown.

        "phone_code" (code: XXXX-XXXX) or "phone_code_failed" (error) answers.
        """

        def ask() -> None:
            try:
                with _lock:
                    answer = messages.request_phone_code(self._go, self._uuid, number)
            except Exception as error:
                answer = {"event": "phone_code_failed", "error": type(error).__name__}
            self._emit(answer)

        threading.Thread(target=ask, name="pair phone", daemon=True).start()

    def _run(self) -> None:
        """Block in the Go library for as long as the client lives."""
        props = messages.device_props(self._device_name)
        size = len(messages.SUBSCRIBED)
        subscribed = ctypes.create_string_buffer(messages.SUBSCRIBED, size)
        error: bytes = self._go.Neonize(
            self._database,
            self._uuid,
            b"",
            0,
            0,
            library_log.PAIRING_LEVEL if self._pairing else library_log.LINKED_LEVEL,
            *self._callbacks,
            subscribed,
            size,
            props,
            len(props),
            b"",
            0,
            None,
        )
        with self._stopping:
            self._over = True
        self._stop_if_requested()
        # Go's error about an address that it cannot read has all of it.
        text = (error or b"").replace(self._database, b"the store").decode(errors="replace")
        self._emit({"event": "ended", "error": text, "cause": go_errors.cause_of(text)})
        self._called_back.set()

    def _reporting_errors(
        self, handler: Callable[..., None], marks_start: bool = True
    ) -> Callable[..., None]:
        """Return a handler that reports exceptions; the library would print and swallow them.

        `marks_start`: its first call shows that the library has written its maps.
        """

        def call_handler(*arguments: Any) -> None:
            try:
                handler(*arguments)
            except Exception as error:
                text = f"{type(error).__name__} in a callback"
                self._emit({"event": "ended", "error": text, "cause": "callback"})
            finally:
                if marks_start:
                    self._called_back.set()

        return call_handler

    def _on_log(self, binary: int, size: int) -> None:
        event = library_log.parse_line(*messages.parse_log_entry(binary, size))
        if event is None:
            return
        if event["event"] == "restarting":
            if self._may_restart and (proxy := relinking.configured_proxy()) is not None:
                self._may_restart = False
                self._set_proxy_soon(proxy)
            return
        if event["event"] == "authenticated":
            # Before the library has done anything else about this login.
            self._set_proxy_soon(relinking.REFUSING_PROXY)
        self._emit(event)

    def _on_code(self, _uuid: int, code: int) -> None:
        self._emit({"event": "code", "code": ctypes.string_at(code).decode()})

    def _on_login_status(self, _uuid: int, status: int) -> None:
        outcome = ctypes.string_at(status).decode()
        if outcome == "success":
            self._emit({"event": "accepted"})
        else:
            self._emit({"event": "pairing_ended", "outcome": outcome})

    def _on_event(self, _uuid: int, binary: int, size: int, kind: int) -> None:
        data = ctypes.string_at(binary, size)
        if kind == messages.DEVICE:
            self._number = messages.number_of(data)
            with self._stopping:
                self._reached = True
            if not self._pairing:
                self._refuse_relink()
            self._stop_if_requested()
            return self._emit({"event": "reached"})
        event = messages.parse_event(kind, data)
        if kind == messages.CONNECTED:
            event["number"] = self._number
        self._emit(event)
