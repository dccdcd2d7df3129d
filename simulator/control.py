"""The control API: JSON over HTTP on loopback, to act as a phone and to arm faults."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import os
import time
from collections.abc import Awaitable, Callable

from . import linkcode, params
from .chats.api import PeopleControl
from .chats.service import Chats
from .chats.switches import PhoneOff
from .faults import Trigger
from .http import HttpError, Json, Request
from .live_faults import apply
from .pairing import CompanionRefused, Pairing, RefUsed
from .phone import BadCode, Code, Phone, read_code
from .proxies import Proxies
from .receiver import Receiver
from .roles import ClientConnection
from .stanzas import device_removed
from .store import Device
from .world import DeviceLimitReached, World

SCAN_SECONDS = 10.0
MAX_REFS = 50

Route = Callable[[Request], Json | Awaitable[Json]]


class Control:
    """Answers the requests of the control API for one world."""

    def __init__(self, world: World, chats: Chats, receiver: Receiver, proxies: Proxies) -> None:
        self._world = world
        self._proxies = proxies
        self._chats = chats
        self._people = PeopleControl(world, chats)
        self._started = time.time()
        self._routes: dict[tuple[str, str], Route] = {
            ("GET", "/health"): self._health,
            ("GET", "/stats"): self._stats,
            ("GET", "/connections"): self._connections,
            ("GET", "/devices"): self._devices,
            ("GET", "/logins"): self._logins,
            ("GET", "/messages"): self._messages,
            ("GET", "/faults"): self._list_faults,
            ("POST", "/faults"): self._arm,
            ("DELETE", "/faults"): self._clear_faults,
            ("POST", "/scan"): self._scan,
            ("POST", "/enter-code"): self._enter_code,
            ("POST", "/unlink"): self._unlink,
            ("POST", "/drop"): self._drop,
            ("GET", "/hooks"): receiver.read,
            ("POST", "/hooks"): receiver.set,
            ("GET", "/proxies"): proxies.read,
            ("POST", "/proxies"): proxies.set,
            ("POST", "/settings"): self._set,
            ("POST", "/reset"): self._reset,
        }

    async def handle(self, request: Request) -> Json:
        """Return the response to a request. Raises HttpError (4xx, 5xx)."""
        answer = self._answer(request)
        if inspect.isawaitable(answer):
            answer = await answer
        self._world.store.commit()
        return answer

    def _answer(self, request: Request) -> Json | Awaitable[Json]:
        if route := self._routes.get((request.method, request.path)):
            return route(request)
        answer = self._people.answer(request)
        if answer is None:
            known = request.path in {path for _, path in self._routes}
            known = known or self._people.knows(request.path)
            raise HttpError(405 if known else 404, "no such call")
        return answer

    def _health(self, request: Request) -> Json:
        return {"status": "ok", "pid": os.getpid(), "uptime": round(time.time() - self._started, 3)}

    def _stats(self, request: Request) -> Json:
        live = self._world.connections.values()
        return {
            **dataclasses.asdict(self._world.statistics),
            "connections": len(live),
            "online": sum(connection.state == "online" for connection in live),
            "paired_devices": len(self._world.devices),
            "phones": len(self._world.phones),
        }

    def _connections(self, request: Request) -> Json:
        params.reject_unknown(request.body, "qr", "code_for")
        return [
            {
                "id": connection.id,
                "state": connection.state,
                "jid": connection.jid,
                "number": connection.number,
                "since": connection.since,
                "refs_issued": connection.refs_issued,
                "proxy": connection.proxy,
            }
            for connection in self._showing(request.body)
        ]

    def _showing(self, body: params.Body) -> list[ClientConnection]:
        """Return the connections that show a QR code, or a code for a number; else all."""
        found = list(self._world.connections.values())
        if qr := params.text(body, "qr", ""):
            pairing = self._world.pairings.get(_read_code(qr).ref)
            return [connection for connection in found if pairing and connection.role is pairing]
        if number := params.digits(body, "code_for", ""):
            return [connection for connection in found if _shows_code_for(connection, number)]
        return found

    def _devices(self, request: Request) -> Json:
        return [
            {
                "jid": str(jid),
                "number": device.phone.number,
                "name": device.phone.name,
                "online": self._is_online(device),
                "waiting": self._chats.waiting(device),
            }
            for jid, device in self._world.devices.items()
        ]

    def _logins(self, request: Request) -> Json:
        counts = self._world.login_counts.items()
        return [{"number": number, **dataclasses.asdict(count)} for number, count in counts]

    def _messages(self, request: Request) -> Json:
        return [dataclasses.asdict(message) for message in self._world.messages]

    async def _scan(self, request: Request) -> Json:
        body = request.body
        params.reject_unknown(body, "qr", "number", "name", "platform")
        code = _read_code(params.text(body, "qr"))
        number = params.digits(body, "number", "") or None
        name, platform = params.text(body, "name", ""), params.text(body, "platform", "")
        pairing = self._world.pairings.get(code.ref)
        if pairing is None:
            known = self._world.is_expired(code.ref)
            raise (
                HttpError(410, "the code has expired") if known else HttpError(404, "unknown code")
            )
        if pairing.noise_key != code.noise_key:
            raise HttpError(400, "the code's keys are not those of its connection")
        phone = self._phone_that_is_on(number, name, platform)
        return await self._link(pairing.link(phone, code))

    async def _enter_code(self, request: Request) -> Json:
        body = request.body
        params.reject_unknown(body, "number", "code", "name", "platform")
        number = params.digits(body, "number")
        try:
            code = linkcode.normalize(params.text(body, "code"))
        except linkcode.WrongCode as error:
            raise HttpError(400, str(error)) from error
        roles = [connection.role for connection in self._world.connections.values()]
        waiting = [r for r in roles if isinstance(r, Pairing) and r.shows_code_for(number)]
        if not waiting:
            raise HttpError(404, "no companion shows a code for this number")
        name, platform = params.text(body, "name", ""), params.text(body, "platform", "")
        phone = self._phone_that_is_on(number, name, platform)
        return await self._link(waiting[-1].link_by_code(phone, code))

    def _phone_that_is_on(self, number: str | None, name: str, platform: str) -> Phone:
        phone = self._world.phone(number, name, platform)
        try:
            self._chats.switches.require_on(phone)
        except PhoneOff as error:
            raise HttpError(409, str(error)) from error
        return phone

    async def _link(self, linking: Awaitable[Device]) -> Json:
        try:
            device = await asyncio.wait_for(linking, SCAN_SECONDS)
        except RefUsed as error:
            raise HttpError(410, str(error)) from error
        except (CompanionRefused, DeviceLimitReached, linkcode.WrongCode) as error:
            raise HttpError(409, str(error)) from error
        except TimeoutError as error:
            raise HttpError(504, f"no answer from the companion in {SCAN_SECONDS:.0f} s") from error
        return {"jid": str(device.jid), "number": device.phone.number}

    def _unlink(self, request: Request) -> Json:
        params.reject_unknown(request.body, "number", "jid")
        scope = params.scope(request.body, "number", "jid")
        if scope.number:
            devices = self._world.devices_of(scope.number)
        else:
            devices = [d for jid, d in self._world.devices.items() if str(jid) == scope.jid]
        if not devices:
            raise HttpError(404, "no such linked device")
        for device in devices:
            self._world.remove_device(device)
            self._world.statistics.unlinks += 1
            if live := self._world.online.get(device.jid):
                live.send_final(device_removed())
        return {"unlinked": [str(device.jid) for device in devices]}

    def _drop(self, request: Request) -> Json:
        params.reject_unknown(request.body, "number", "connection", "all")
        found = self._matching(params.scope(request.body, "number", "connection", "all"))
        for connection in found:
            connection.abort()
        return {"dropped": len(found)}

    def _arm(self, request: Request) -> Json:
        body = request.body
        params.reject_unknown(
            body, "kind", "connection", "number", "all", "seconds", "count", "params"
        )
        scope = params.scope(body, "connection", "number", "all")
        seconds = params.seconds(body)
        count = (
            params.integer(body, "count", 1, 1_000_000) if body.get("count") is not None else None
        )
        faults = self._world.faults
        try:
            fault = faults.arm(
                params.text(body, "kind"),
                connection=scope.connection,
                number=scope.number,
                seconds=seconds,
                count=count,
                params=params.fault_params(body),
            )
        except ValueError as error:
            raise HttpError(400, str(error)) from error
        affected = 0
        if fault.trigger is Trigger.NOW:
            for connection in self._matching(scope)[:count]:
                faults.count_use(fault)
                apply(connection, fault)
                affected += 1
            if seconds is None and count is None:
                faults.clear(fault.id)
        return {"id": fault.id, "bitten": affected, "armed": fault in faults.armed()}

    def _list_faults(self, request: Request) -> Json:
        return self._world.faults.describe()

    def _clear_faults(self, request: Request) -> Json:
        params.reject_unknown(request.body, "id")
        fault_id = params.text(request.body, "id", "")
        return {"cleared": self._world.faults.clear(fault_id or None)}

    def _set(self, request: Request) -> Json:
        body, world = request.body, self._world
        params.reject_unknown(body, "refs", "history")
        if "refs" in body or not body:
            world.set_refs(params.integer(body, "refs", 1, MAX_REFS))
        world.set_history(params.flag(body, "history", world.settings.history))
        return dataclasses.asdict(self._world.settings)

    async def _reset(self, request: Request) -> Json:
        params.reject_unknown(request.body)
        self._world.delete_all()
        self._chats.reset()
        await self._proxies.reset()
        self._world.faults.clear()
        closed = list(self._world.connections.values())
        for connection in closed:
            connection.abort()
        return {"closed": len(closed)}

    def _matching(self, scope: params.Scope) -> list[ClientConnection]:
        """Return the connections in a scope that are past the handshake and not closing."""
        return [
            connection
            for connection in self._world.connections.values()
            if connection.state not in ("handshake", "closing")
            and (not scope.connection or connection.id == scope.connection)
            and (not scope.number or connection.number == scope.number)
        ]

    def _is_online(self, device: Device) -> bool:
        live = self._world.online.get(device.jid)
        return live is not None and live.state == "online"


def _read_code(text: str) -> Code:
    """Read a QR code. Raises HttpError 400."""
    try:
        return read_code(text)
    except BadCode as error:
        raise HttpError(400, str(error)) from error


def _shows_code_for(connection: ClientConnection, number: str) -> bool:
    return isinstance(connection.role, Pairing) and connection.role.shows_code_for(number)
