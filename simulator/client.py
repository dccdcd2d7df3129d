"""A synchronous client of the control API, of the standard library only."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_SECONDS = 5.0
_SCAN_SECONDS = 15.0


class ControlError(Exception):
    """The stand-in refused a call: its HTTP status, or 0 when it could not be reached."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{message} ({status})" if status else message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class Linked:
    """A companion that a phone has linked."""

    jid: str
    number: str


class ControlClient:
    """Calls the control API; each call raises ControlError when it is refused or not answered.

    Every call has its own connection, straight to the stand-in (no proxy of the environment is
    used), so one client may be used by several threads.
    """

    def __init__(self, control_url: str) -> None:
        parts = urlsplit(control_url)
        if parts.scheme != "http" or not parts.hostname or not parts.port:
            raise ValueError("a control URL looks like http://127.0.0.1:PORT")
        self._host, self._port = parts.hostname, parts.port

    def health(self) -> dict[str, Any]:
        """{"status", "pid", "uptime" (seconds)}."""
        return self._object("GET", "/health")

    def stats(self) -> dict[str, int]:
        """The counters, and how many connections, devices and phones there are now."""
        return self._object("GET", "/stats")

    def connections(self) -> list[dict[str, Any]]:
        """The live connections: id, state, jid, number, since (Unix time), refs_issued."""
        return self._list("GET", "/connections")

    def devices(self) -> list[dict[str, Any]]:
        """The linked devices: jid, number, name, online."""
        return self._list("GET", "/devices")

    def logins(self, number: str = "") -> list[dict[str, Any]]:
        """Each phone number's logins since the last reset: number, logins (let in), attempts."""
        counted = self._list("GET", "/logins")
        return [count for count in counted if number in ("", count["number"])]

    def messages(self, number: str = "") -> list[dict[str, Any]]:
        """What phones have received and read: number, id, sender (a JID), text, at (Unix time)."""
        received = self._list("GET", "/messages")
        return [message for message in received if number in ("", message["number"])]

    def scan(self, qr: str, *, number: str = "", name: str = "", platform: str = "") -> Linked:
        """Scan a QR code with a phone (a made-up one when no number is given).

        ControlError 404 for an unknown code, 410 for an expired or used one, 409 when the
        companion refuses, 504 when it does not answer in 10 s.
        """
        body = {"qr": qr, "number": number, "name": name, "platform": platform}
        answer = self._object("POST", "/scan", _given(body), _SCAN_SECONDS)
        return Linked(**answer)

    def enter_code(self, number: str, code: str) -> Linked:
        """Enter the code that a companion shows on the phone with this number.

        ControlError 404 when no companion shows one for it, 409 when the code is wrong (it may be
        tried again), otherwise as `scan`.
        """
        body = {"number": number, "code": code}
        return Linked(**self._object("POST", "/enter-code", body, _SCAN_SECONDS))

    def unlink(self, *, number: str = "", jid: str = "") -> list[str]:
        """Unlink a phone's companions, or one; returns their JIDs. ControlError 404 for none."""
        answer = self._object("POST", "/unlink", _given({"number": number, "jid": jid}))
        return list(answer["unlinked"])

    def drop(self, *, number: str = "", connection: str = "") -> int:
        """Cut the TCP connections of a phone, one by id, or all; returns how many."""
        body = _scope({"number": number, "connection": connection})
        return int(self._object("POST", "/drop", body)["dropped"])

    def arm(
        self,
        kind: str,
        *,
        number: str = "",
        connection: str = "",
        seconds: float | None = None,
        count: int | None = None,
        **params: int | str,
    ) -> str:
        """Arm a fault for a phone, a connection or all; returns its id. See the README's table."""
        body = _scope({"number": number, "connection": connection})
        body |= {"kind": kind, "seconds": seconds, "count": count, "params": params}
        return str(self._object("POST", "/faults", body)["id"])

    def faults(self) -> list[dict[str, Any]]:
        """The armed faults."""
        return self._list("GET", "/faults")

    def clear_faults(self, fault_id: str = "") -> int:
        """Disarm one fault, or all; returns how many."""
        return int(self._object("DELETE", "/faults", _given({"id": fault_id}))["cleared"])

    def set_refs(self, refs: int) -> None:
        """Set how many QR codes a pairing gets from now on (1 to 50)."""
        self._object("POST", "/settings", {"refs": refs})

    def reset(self) -> None:
        """Forget every phone, device and fault, and cut every connection."""
        self._object("POST", "/reset")

    def _object(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        seconds: float = _SECONDS,
    ) -> dict[str, Any]:
        answer = self._call(method, path, body, seconds)
        if not isinstance(answer, dict):
            raise ControlError(0, "the stand-in's answer is not an object")
        return answer

    def _list(self, method: str, path: str) -> list[dict[str, Any]]:
        answer = self._call(method, path, None, _SECONDS)
        if not isinstance(answer, list):
            raise ControlError(0, "the stand-in's answer is not a list")
        return answer

    def _call(self, method: str, path: str, body: dict[str, Any] | None, seconds: float) -> Any:
        link = http.client.HTTPConnection(self._host, self._port, timeout=seconds)
        try:
            link.request(method, path, json.dumps(body or {}), {"Connection": "close"})
            response = link.getresponse()
            answer = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ControlError(0, f"the stand-in cannot be reached: {error}") from error
        finally:
            link.close()
        if response.status != 200:
            raise ControlError(response.status, str(answer.get("error", "refused")))
        return answer


def _given(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value}


def _scope(body: dict[str, Any]) -> dict[str, Any]:
    return _given(body) or {"all": True}
