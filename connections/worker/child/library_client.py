"""A WhatsApp client in this process, run by neonize's Go library.

It calls the library (go_library.py) rather than neonize's `NewClient`, for three measured reasons:
importing all of neonize takes 0.5 s and twice the memory; `NewClient.connect` polls five times a
second for each client; and only a private callback of it gets the outcome of a pairing. What
depends on the version is in library_contract.py.

The Go library keeps its clients in maps without a lock (library_lock.py).
"""

import contextlib
import ctypes
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from connections.worker.child import (
    go_errors,
    go_library,
    library_contract,
    library_log,
    received,
    relinking,
    routes,
)
from connections.worker.child import library_messages as messages
from connections.worker.child.library_calls import LibraryCalls
from connections.worker.child.library_lock import LIBRARY
from connections.worker.child.receiver import Receiver
from connections.worker.child.watched_memory import WatchedMemory

Event = dict[str, Any]
Emit = Callable[[Event], None]

# The library reads its maps once more before its first callback, which comes after the dial.
FIRST_CALLBACK_SECONDS = 4.0
REGISTERED_POLL_SECONDS = 0.002
# How long a thread of the library may wait until another client's start or stop is over.
LOCK_TIMEOUT_SECONDS = 5.0
# How long a close waits for the message that is being sent, and for a query.
CALL_SECONDS = 1.0


class Client:
    """Runs one WhatsApp client. Its events go to `emit`, from the Go library's threads.

    Events, each a dict with "event": reached (WhatsApp answers) · code (code) · phone_code (code) ·
    phone_code_failed (error) · accepted · pairing_ended (outcome) ·
    connected (number: digits) · lost · silent · restored · logged_out (while_offline, reason) ·
    replaced · outdated · banned (code, seconds) · failed (reason) · logout_done (error) ·
    spooled · spool_failed (error: a name of errno) · ended (error: why connecting failed, ""
    after a stop; cause: what failed, one of go_errors.CAUSES) · and those of `calls` and of
    library_log.py but "restarting", "repeated" and "history_failed".

    `pairing`: it links a phone, so its log includes the stanzas. A linked client may not reconnect
    by itself before `allow_relink` (relinking.py), but once for a restart that WhatsApp asks for.
    `spool`: the path of the file for messages and receipts; without one, they are not subscribed.
    `proxy`: the URL of its organization's proxy, for the link and media; "": the environment's.
    """

    def __init__(
        self,
        library: go_library.GoLibrary,
        database: str,
        device_name: str,
        emit: Emit,
        pairing: bool = False,
        spool: str = "",
        proxy: str = "",
    ) -> None:
        self._go = library
        # A new one for each client: the library stops a client when another one has its name.
        self._uuid = uuid.uuid4().hex.encode()
        self._database = go_library.address_of(database)
        self._device_name = device_name
        self._emit = emit
        self._number = self._lid = ""
        self._ban: Event | None = None  # by the library's log
        self._called_back = threading.Event()
        self._stopping = threading.Lock()
        self._reached = self._over = self._stop_requested = False
        self._pairing = pairing
        self._may_restart = True
        self._registered: WatchedMemory | None = None
        self._route = routes.route_of(proxy)
        # What `_registered` points to.
        self._first_proxy = go_library.proxy_settings(self._route.link, self._route.media)
        self._receiver = Receiver(spool, lambda: self._number, emit) if spool else None
        self._linked = self._closing = self._stopped = False
        self.calls = LibraryCalls(
            library,
            self._uuid,
            lambda: self._number,
            self._is_known_to_library,
            emit,
            self._route.media,
        )
        self._callbacks = (
            library_contract.TextCallback(self._reporting_errors(self._on_code)),
            library_contract.TextCallback(self._reporting_errors(self._on_login_status)),
            library_contract.EventCallback(self._reporting_errors(self._on_event)),
            library_contract.LogCallback(self._reporting_errors(self._on_log, marks_start=False)),
        )

    def start(self) -> None:
        """Resume the store's device, or pair when it has none. Return before the dial.

        The library reads the proxy's settings right after it has written its maps.
        """
        if not self._pairing:
            self._registered = WatchedMemory(bytes(self._first_proxy))
        with LIBRARY.exclusive():
            threading.Thread(target=self._run, name="neonize", daemon=True).start()
            deadline = time.monotonic() + FIRST_CALLBACK_SECONDS
            while not (self._called_back.is_set() or time.monotonic() > deadline):
                if self._registered is not None and self._registered.was_read():
                    LIBRARY.hold(self._called_back.is_set, FIRST_CALLBACK_SECONDS)
                    break
                self._called_back.wait(REGISTERED_POLL_SECONDS)

    def allow_relink(self) -> None:
        """Let the library reconnect by itself, once, when the link is lost."""
        self._may_restart = True
        self._set_proxy(self._route.link)

    def _set_proxy(self, proxy: str, timeout: float | None = None) -> None:
        """Set the proxy of the next connection, not of media. Raises TimeoutError."""
        settings = go_library.proxy_settings(proxy)
        with LIBRARY.call(timeout=timeout):
            self._go.SetProxyAddress(self._uuid, ctypes.byref(settings))

    def _refuse_relink(self) -> None:
        """Refuse reconnects from the login on: WhatsApp may drop it at once."""
        # Another start may wait for this callback.
        self._called_back.set()
        self._set_proxy_soon(relinking.REFUSING_PROXY)

    def _set_proxy_soon(self, proxy: str) -> None:
        """Call `_set_proxy` on a thread of the library, which must not block for long."""
        with contextlib.suppress(TimeoutError):
            self._set_proxy(proxy, LOCK_TIMEOUT_SECONDS)

    def stop(self) -> None:
        """Close the socket, keeping the credentials.

        A client that still dials is stopped after the dial: the library would forget it at once,
        but the dial would go on and end in a connection that no client holds.
        """
        with self._stopping:
            self._stop_requested = True
        self._stop_if_requested()

    def _stop_if_requested(self) -> None:
        """Begin to stop, unless it still dials, on a thread of ours: it waits for the library."""
        with self._stopping:
            may_stop = self._stop_requested and (self._reached or self._over)
            if not may_stop or self._closing:
                return
            self._closing = True
        threading.Thread(target=self._close, name="close", daemon=True).start()

    def _close(self) -> None:
        """End the calls, disconnect, keep what has come in, and stop."""
        self.calls.close(CALL_SECONDS)
        if self._receiver is not None and not self._over:
            was_linked = self._linked
            with LIBRARY.call():
                self._go.Disconnect(self._uuid)
            self._receiver.drain(time.monotonic() if was_linked else 0.0)
        with LIBRARY.exclusive():
            self._stopped = True
            self._go.Stop(self._uuid)

    def _is_known_to_library(self) -> bool:
        """Return whether the library has the client: most of its calls crash without."""
        return self._reached and not self._stopped

    def is_connected(self) -> bool:
        """Return whether the library says that it is connected and logged in."""
        with LIBRARY.call():
            return bool(self._go.IsConnected(self._uuid) and self._go.IsLoggedIn(self._uuid))

    def logout(self) -> None:
        """Unlink this device at WhatsApp; "logout_done" (error, "" if none) answers.

        Without an answer of WhatsApp that takes 75 s.
        """

        def call() -> None:
            with LIBRARY.call():
                answer: bytes = self._go.Logout(self._uuid)
            if not answer:
                # As after an unlinking by the phone: a stop need not wait for what comes last.
                self._linked = False
            self._emit({"event": "logout_done", "error": answer.decode(errors="replace")})

        threading.Thread(target=call, name="logout", daemon=True).start()

    def trim_spool(self, upto: int) -> None:
        """Drop the first bytes of the spool, which are stored elsewhere; "spool_trimmed" answers.

        `dropped`: how many were dropped.
        """
        dropped = 0 if self._receiver is None else self._receiver.trim(upto)
        self._emit({"event": "spool_trimmed", "dropped": dropped})

    def pair_phone(self, number: str) -> None:
        """Ask for a code to type on the phone with this number (digits), once a QR code was shown.

        "phone_code" (code: XXXX-XXXX) or "phone_code_failed" (error) answers.
        """

        def ask() -> None:
            try:
                with LIBRARY.call():
                    answer = messages.request_phone_code(self._go, self._uuid, number)
            except Exception as error:
                answer = {"event": "phone_code_failed", "error": type(error).__name__}
            self._emit(answer)

        threading.Thread(target=ask, name="pair phone", daemon=True).start()

    def _run(self) -> None:
        """Block in the Go library for as long as the client lives."""
        props = messages.device_props(self._device_name)
        events = messages.SUBSCRIBED + (received.SUBSCRIBED if self._receiver else b"")
        size = len(events)
        subscribed = ctypes.create_string_buffer(events, size)
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
            self._registered.address if self._registered else ctypes.addressof(self._first_proxy),
        )
        if self._reached and not self._stopped:
            # It could not convert an event; what it gets from now on would be confirmed and lost.
            with LIBRARY.call():
                self._go.Disconnect(self._uuid)
        with self._stopping:
            self._over = True
        self._stop_if_requested()
        if self._receiver is not None:
            self._receiver.close()
        # Go's error about an address that it cannot read has all of it.
        text = (error or b"").replace(self._database, b"the store").decode(errors="replace")
        cause = go_errors.cause_of(text)
        if cause == "answer" and self._ban is not None:
            # It cannot convert a ban whose code it does not know.
            self._emit(self._ban)
        self._emit({"event": "ended", "error": routes.scrub(text), "cause": cause})
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
            if self._may_restart:
                self._may_restart = False
                self._set_proxy_soon(self._route.link)
            return
        if event["event"] == "banned":
            self._ban = event
            return
        if event["event"] == "repeated":
            # What one writes to oneself is no message of a person. That chat has the own LID.
            own = event["chat"].partition("@")[0] == self._lid
            if self._receiver is not None and not own:
                self._receiver.keep_repeated(event)
            return
        if event["event"] == "history_failed":
            if self._receiver is not None:
                self._receiver.give_up_history()
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
        if kind == library_contract.HISTORY and self._receiver is not None:
            history = (ctypes.c_char * size).from_address(binary)
            return self._receiver.keep_history(memoryview(history).cast("B"))
        data = ctypes.string_at(binary, size)
        if kind in received.SUBSCRIBED and self._receiver is not None:
            return self._receiver.keep(kind, data)
        if kind == library_contract.DEVICE:
            self._number, self._lid = messages.account_of(data)
            with self._stopping:
                self._reached = self._linked = True
            if not self._pairing:
                self._refuse_relink()
            self._stop_if_requested()
            return self._emit({"event": "reached"})
        event = messages.parse_event(kind, data)
        if kind == library_contract.CONNECTED:
            event["number"] = self._number
            self._linked = True
        elif kind in messages.UNLINKED:
            self._linked = False
        self._emit(event)
