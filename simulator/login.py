"""A linked device's login and the stanzas of its session."""

from __future__ import annotations

import asyncio
import time

from .chats.service import Chats
from .faults import ROUND_TRIP_MS
from .jids import USER_SERVER, Jid
from .live_faults import apply, drop
from .nodes import Attribute, Node
from .roles import ClientConnection
from .stanzas import replaced
from .store import Device
from .wire import Message
from .world import World


def log_in(
    world: World, chats: Chats, connection: ClientConnection, static: bytes, payload: Message
) -> Session | None:
    """Return the session of a ClientPayload's device, or None after refusing the login."""
    device = world.devices.get(Jid(str(payload.number(1)), USER_SERVER, payload.number(18)))
    if device is None or device.noise_key != static:
        refuse_login(world, connection, 401)
        return None
    return Session(world, chats, connection, device)


def refuse_login(
    world: World,
    connection: ClientConnection,
    reason: int,
    code: int = 0,
    expire: int = 0,
    ms: int = ROUND_TRIP_MS,
) -> None:
    """Refuse a login after `ms`, and close; `code` and `expire` (seconds) are sent with 402."""
    attrs: dict[str, Attribute] = {"reason": str(reason)}
    if reason == 402:
        attrs |= {"code": str(code), "expire": str(expire)}
    world.statistics.login_failures += 1
    loop = asyncio.get_running_loop()
    loop.call_later(ms / 1000, connection.send_final, Node("failure", attrs))


def refused_by_fault(world: World, connection: ClientConnection, switch: str = "") -> bool:
    """Refuse this client's login if a `failure` is armed for it; return whether it was."""
    fault = world.faults.take("failure", connection, switch)
    if fault is not None:
        refuse_login(
            world,
            connection,
            fault.integer("reason"),
            code=fault.integer("code"),
            expire=fault.integer("expire"),
            ms=fault.integer("ms"),
        )
    return fault is not None


class Session:
    """The session of a linked device: `logging_in` until the client reports that it is active."""

    def __init__(
        self, world: World, chats: Chats, connection: ClientConnection, device: Device
    ) -> None:
        self.state = "logging_in"
        self._chats = chats
        self._connection = connection
        self._world = world
        self._device = device
        self._is_silent = False
        self._handlers = {
            "encrypt": self._encrypt,
            "passive": self._passive,
            "md": self._linked_devices,
            "w:p": self._ping,
            "usync": self._users,
            "w:m": self._media,
        }

    @property
    def number(self) -> str:
        """Return the phone number."""
        return self._device.phone.number

    @property
    def jid(self) -> str:
        """Return the device's address."""
        return str(self._device.jid)

    def start(self) -> None:
        """Accept the login and replace an older session, unless a fault makes the login fail."""
        self._world.login_counts[self.number].attempts += 1
        self._is_silent = self._take_login_fault()
        if self._is_silent:
            return
        if fault := self._world.faults.take("slow_success", self._connection):
            self._is_silent = True
            loop = asyncio.get_running_loop()
            loop.call_later(fault.integer("ms") / 1000, self._accept_late)
        else:
            self._accept()

    def handle(self, node: Node) -> None:
        """Answer one stanza; an unknown query gets an empty result."""
        if self._is_silent:
            return
        if node.tag == "iq" and node.get("type") in ("get", "set"):
            self._handlers.get(node.get("xmlns"), self._connection.answer)(node)
        else:
            self._chats.take(self._device, node, self._connection)

    def end(self) -> None:
        """Mark the device as offline."""
        if self._world.online.get(self._device.jid) is self._connection:
            del self._world.online[self._device.jid]
        self._chats.detach(self._device, self._connection)

    def _take_login_fault(self) -> bool:
        faults = self._world.faults
        if fault := faults.take("cut_login", self._connection):
            asyncio.get_running_loop().call_later(
                fault.integer("ms") / 1000, self._connection.abort
            )
            return True
        if faults.take("mute_login", self._connection):
            return True
        return refused_by_fault(self._world, self._connection)

    def _accept_late(self) -> None:
        if self._connection.state == "closing":
            return
        if self._world.devices.get(self._device.jid) is not self._device:
            # The device was unlinked meanwhile.
            refuse_login(self._world, self._connection, 401)
            return
        self._is_silent = False
        self._accept()

    def _accept(self) -> None:
        self._replace_older()
        self._world.statistics.logins += 1
        self._world.login_counts[self.number].logins += 1
        self._world.statistics.resumes += self._device.logins > 0
        self._device.logins += 1
        self._world.store.save_device(self._device)
        lid = self._device.phone.lid_jid(self._device.device)
        self._connection.send(Node("success", {"t": str(int(time.time())), "lid": lid}))
        self._chats.attach(self._device, self._connection)
        self._drop_if_armed()

    def _drop_if_armed(self) -> None:
        fault = self._world.faults.take("drop_after_login", self._connection)
        if fault is None:
            return
        how, seconds = fault.integer("how"), fault.integer("ms") / 1000
        if seconds:
            asyncio.get_running_loop().call_later(seconds, drop, self._connection, how)
        else:
            drop(self._connection, how)

    def _replace_older(self) -> None:
        older = self._world.online.get(self._device.jid)
        self._world.online[self._device.jid] = self._connection
        if older is not None and older.state != "closing":
            self._world.statistics.replaced += 1
            older.send_final(replaced())

    def _encrypt(self, query: Node) -> None:
        if query.child("list"):
            self._chats.upload(self._device, query)
            self._connection.answer(query)
        elif query.child("key"):
            without = self._world.faults.take("no_prekeys", self._connection) is not None
            keys = self._chats.directory.answer_keys(query, without)
            self._connection.answer(query, keys)
        elif query.child("count"):
            value = str(self._device.prekeys)
            self._connection.answer(query, [Node("count", {"value": value})])
        elif query.child("digest"):
            self._connection.answer(query, [Node("digest")])
        else:
            self._connection.answer(query)

    def _passive(self, query: Node) -> None:
        self._connection.answer(query)
        if query.child("active") and self.state == "logging_in":
            self.state = "online"
            if fault := self._world.faults.take_now(self._connection):
                apply(self._connection, fault)

    def _linked_devices(self, query: Node) -> None:
        removal = query.child("remove-companion-device")
        if removal is None or removal.get("jid") != self.jid:
            self._connection.answer(query)
            return
        self._world.remove_device(self._device)
        self._world.statistics.logouts += 1
        self._connection.answer(query)
        # Clients close by themselves; this is for those that do not.
        self._connection.close_later(2.0)

    def _users(self, query: Node) -> None:
        if self._world.faults.take("usync_silent", self._connection):
            return
        users = self._chats.directory.answer_users(query, self._device)
        self._connection.answer(query, users)

    def _ping(self, query: Node) -> None:
        self._world.statistics.pings += 1
        self._connection.answer(query)

    def _media(self, query: Node) -> None:
        self._connection.answer(query, [self._chats.media_hosts()])
