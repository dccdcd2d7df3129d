"""A synchronous client of the control API, with the standard library only."""

from __future__ import annotations

import base64
import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_SECONDS = 5.0
_SCAN_SECONDS = 15.0


class ControlError(Exception):
    """The simulator refused a call. `status`: the HTTP status, or 0 when it was not reachable."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{message} ({status})" if status else message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class Linked:
    """A linked companion device and its phone's number."""

    jid: str
    number: str


class ControlClient:
    """Calls the control API; each call raises ControlError when it is refused or not answered.

    Each call opens its own connection, without the proxy of the environment, so threads can share
    a client.
    """

    def __init__(self, control_url: str) -> None:
        parts = urlsplit(control_url)
        if parts.scheme != "http" or not parts.hostname or not parts.port:
            raise ValueError("a control URL looks like http://127.0.0.1:PORT")
        self._host, self._port = parts.hostname, parts.port

    def health(self) -> dict[str, Any]:
        """Return {"status", "pid", "uptime" (seconds)}."""
        return self._object("GET", "/health")

    def stats(self) -> dict[str, int]:
        """Return the counters, and the current numbers of connections, devices and phones."""
        return self._object("GET", "/stats")

    def connections(self, *, qr: str = "", code_for: str = "") -> list[dict[str, Any]]:
        """Return the live connections: id, state, jid, number, since (Unix time), refs_issued.

        All, or only the one that shows a QR code, or a code to type for a number.
        """
        return self._list("GET", "/connections", _without_empty({"qr": qr, "code_for": code_for}))

    def devices(self) -> list[dict[str, Any]]:
        """Return the linked devices: jid, number, name, online."""
        return self._list("GET", "/devices")

    def logins(self, number: str = "") -> list[dict[str, Any]]:
        """Return the logins per phone number since the last reset: number, logins, attempts."""
        counts = self._list("GET", "/logins")
        return [count for count in counts if number in ("", count["number"])]

    def messages(self, number: str = "") -> list[dict[str, Any]]:
        """Return the messages that phones received: number, id, sender (JID), text, at (Unix)."""
        messages = self._list("GET", "/messages")
        return [message for message in messages if number in ("", message["number"])]

    def save_person(self, number: str = "", name: str = "", **behaviour: Any) -> dict[str, Any]:
        """Create or change a person, a new one without number; return number, lid, name and so on.

        `behaviour`: by_lid, hide_number, auto.
        """
        body = _without_empty({"number": number, "name": name})
        return self._object("POST", "/people", body | behaviour)

    def people(self) -> list[dict[str, Any]]:
        """Return the people, each as `save_person` does."""
        return self._list("GET", "/people")

    def say(self, number: str, to: str, text: str = "", **message: Any) -> str:
        """Let a person (or the owner of a linked phone) write to an account; return the id.

        Without a text, `message` has the type and its object, as in the README.
        """
        body = {"type": "text", "text": {"body": text}} if text else {}
        return str(
            self._object("POST", f"/people/{number}/send", body | message | {"to": to})["id"]
        )

    def read(self, number: str, to: str, ids: list[str], played: bool = False) -> None:
        """Let a person report to an account that messages were read, or played."""
        self._object("POST", f"/people/{number}/read", {"to": to, "ids": ids, "played": played})

    def send_receipt(self, number: str, to: str, ids: list[str], kind: str = "") -> None:
        """Let a phone send a receipt of any type; without one, as delivered."""
        self._object("POST", f"/people/{number}/receipt", {"to": to, "ids": ids, "type": kind})

    def send_stanza(self, number: str, to: str, tag: str, **parts: Any) -> str:
        """Let a person send a stanza as it is; return its id. `parts`: attrs, children, data."""
        body = {"to": to, "stanza": {"tag": tag, **parts}}
        return str(self._object("POST", f"/people/{number}/stanza", body)["id"])

    def set_typing(self, number: str, to: str, on: bool = True) -> None:
        """Let a person type, or stop typing, in the chat with an account."""
        self._object("POST", f"/people/{number}/typing", {"to": to, "on": on})

    def switch_phone(self, number: str, on: bool) -> None:
        """Switch a phone off, or on again; its companions stay connected."""
        self._object("POST", f"/phones/{number}/power", {"on": on})

    def is_phone_on(self, number: str) -> bool:
        """Return whether a phone is on."""
        return bool(self._object("GET", f"/phones/{number}/power")["on"])

    def media(self, number: str, message_id: str) -> bytes:
        """Return the media of a message that a person has received."""
        answer = self._object("GET", f"/people/{number}/media?id={message_id}")
        return base64.b64decode(answer["data"])

    def received(self, number: str, after: int = 0) -> list[dict[str, Any]]:
        """Return the messages that a person has received, with an index above `after`."""
        return self._list("GET", f"/people/{number}/messages?after={after}")

    def sent(self, number: str = "", after: int = 0) -> list[dict[str, Any]]:
        """Return what people have sent, to one account or to all, and the fate of each message."""
        return self._list("GET", f"/sent?number={number}&after={after}")

    def set_hook(
        self, name: str, *, secret: str | None = None, fails: bool | None = None
    ) -> dict[str, Any]:
        """Make a receiver of webhooks, or change its secret or whether it answers 500."""
        told = {"secret": secret, "fails": fails}
        given = {key: value for key, value in told.items() if value is not None}
        return self._object("POST", "/hooks", {"name": name, **given})

    def hook(self, name: str) -> dict[str, Any]:
        """Return a receiver: name, fails, and caught (at, id, body, verified, answered).

        Raises ControlError 404 when there is none.
        """
        return self._object("GET", f"/hooks?name={name}")

    def set_proxy(
        self, name: str = "", *, kind: str = "", mode: str = "", **settings: str | int
    ) -> dict[str, Any]:
        """Make a proxy, or change one; return name, kind, mode, url, asked.

        `kind`: http, https or socks5; `mode`: as in the README; `settings`: username, password, ms.
        """
        given = _without_empty({"name": name, "kind": kind, "mode": mode})
        return self._object("POST", "/proxies", given | settings)

    def proxies(self) -> dict[str, dict[str, Any]]:
        """Return the proxies by name; the simulator's own has none. `asked`: who wanted where."""
        return {proxy["name"]: proxy for proxy in self._list("GET", "/proxies")}

    def scan(self, qr: str, *, number: str = "", name: str = "", platform: str = "") -> Linked:
        """Scan a QR code with a phone (a new one without `number`).

        Raises ControlError 404 for an unknown code, 410 for an expired or used one, 409 when the
        companion refuses, 504 when it does not answer in 10 s.
        """
        body = {"qr": qr, "number": number, "name": name, "platform": platform}
        answer = self._object("POST", "/scan", _without_empty(body), _SCAN_SECONDS)
        return Linked(**answer)

    def enter_code(self, number: str, code: str) -> Linked:
        """Enter a companion's code on the phone with this number.

        Raises ControlError 404 when no companion shows a code for the number, 409 when the code is
        wrong (another attempt is possible), otherwise as `scan`.
        """
        body = {"number": number, "code": code}
        return Linked(**self._object("POST", "/enter-code", body, _SCAN_SECONDS))

    def unlink(self, *, number: str = "", jid: str = "") -> list[str]:
        """Unlink a phone's companions, or one; return their JIDs. Raises ControlError 404."""
        answer = self._object("POST", "/unlink", _without_empty({"number": number, "jid": jid}))
        return list(answer["unlinked"])

    def drop(self, *, number: str = "", connection: str = "") -> int:
        """Abort the TCP connections of a phone, one by id, or all; return how many."""
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
        """Arm a fault for a phone, a connection or all; return its id. The README lists kinds."""
        body = _scope({"number": number, "connection": connection})
        body |= {"kind": kind, "seconds": seconds, "count": count, "params": params}
        return str(self._object("POST", "/faults", body)["id"])

    def faults(self) -> list[dict[str, Any]]:
        """Return the armed faults."""
        return self._list("GET", "/faults")

    def clear_faults(self, fault_id: str = "") -> int:
        """Disarm one fault, or all; return how many."""
        return int(self._object("DELETE", "/faults", _without_empty({"id": fault_id}))["cleared"])

    def set_refs(self, refs: int) -> None:
        """Set how many QR codes a pairing gets from now on (1 to 50)."""
        self._object("POST", "/settings", {"refs": refs})

    def set_history(self, on: bool) -> None:
        """Set whether phones send their history to companions that they link from now on."""
        self._object("POST", "/settings", {"history": on})

    def send_history(
        self, number: str, kind: str = "recent", *, inline: bool = False, older: int = 0
    ) -> list[str]:
        """Let a linked phone send its history to its companions; return the ids in it."""
        body = {"type": kind, "inline": inline, "older": older}
        answer = self._object("POST", f"/phones/{number}/history", body, _SCAN_SECONDS)
        return list(answer["ids"])

    def reset(self) -> None:
        """Delete all phones, devices and faults, and abort all connections."""
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
            raise ControlError(0, "the simulator's answer is not an object")
        return answer

    def _list(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        answer = self._call(method, path, body, _SECONDS)
        if not isinstance(answer, list):
            raise ControlError(0, "the simulator's answer is not a list")
        return answer

    def _call(self, method: str, path: str, body: dict[str, Any] | None, seconds: float) -> Any:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=seconds)
        try:
            connection.request(method, path, json.dumps(body or {}), {"Connection": "close"})
            response = connection.getresponse()
            answer = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ControlError(0, f"the simulator cannot be reached: {error}") from error
        finally:
            connection.close()
        if response.status != 200:
            raise ControlError(response.status, str(answer.get("error", "refused")))
        return answer


def _without_empty(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value}


def _scope(body: dict[str, Any]) -> dict[str, Any]:
    return _without_empty(body) or {"all": True}
