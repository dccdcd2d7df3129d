"""The control API's calls for people: act as a customer, and see what arrived."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from simulator import params
from simulator.http import HttpError, Json, Request
from simulator.nodes import Node
from simulator.phone import Phone
from simulator.signal.primitives import Unreadable
from simulator.world import World

from .content import BadContent
from .history import RECENT, TYPES
from .service import Chats
from .store import Person
from .switches import PhoneOff

_AUTO = ("none", "delivered", "read")
_RECEIPTS = ("", "inactive", "read", "played", "read-self", "played-self", "server-error")
_MAX_ROWS = 10_000
_MAX_OLDER = 100_000
_MAX_STANZA_DEPTH = 8

Route = Callable[[Request, str], Json]


class PeopleControl:
    """Answers the calls below `/people`, `/phones` and `/sent`; `*` in a path is a number."""

    def __init__(self, world: World, chats: Chats) -> None:
        self._world = world
        self._chats = chats
        self._routes: dict[tuple[str, str], Route] = {
            ("POST", "/people"): self._save,
            ("GET", "/people"): self._list,
            ("POST", "/people/*/send"): self._send,
            ("POST", "/phones/*/send"): self._send,
            ("POST", "/people/*/read"): self._read,
            ("POST", "/phones/*/read"): self._read,
            ("POST", "/people/*/receipt"): self._report,
            ("POST", "/phones/*/receipt"): self._report,
            ("POST", "/people/*/stanza"): self._stanza,
            ("POST", "/people/*/typing"): self._type,
            ("POST", "/phones/*/history"): self._send_history,
            ("GET", "/phones/*/power"): self._power,
            ("POST", "/phones/*/power"): self._switch,
            ("GET", "/people/*/media"): self._media,
            ("GET", "/people/*/messages"): self._messages,
            ("GET", "/sent"): self._sent,
        }
        self.paths = {path for _, path in self._routes}

    def answer(self, request: Request) -> Json | None:
        """Return the answer, or None for another call. Raises HttpError."""
        pattern, number = _pattern(request.path)
        route = self._routes.get((request.method, pattern))
        try:
            return route(request, number) if route else None
        except PhoneOff as error:
            raise HttpError(409, str(error)) from error

    def knows(self, path: str) -> bool:
        """Return whether the path exists, with another method."""
        return _pattern(path)[0] in self.paths

    def _save(self, request: Request, _number: str) -> Json:
        body = request.body
        params.reject_unknown(body, "number", "name", "by_lid", "hide_number", "auto")
        number = params.digits(body, "number", "") or None
        old = self._chats.phones.people.get(number or "", Person(""))
        auto = params.text(body, "auto", old.auto)
        if auto not in _AUTO:
            raise HttpError(400, f"auto must be one of: {', '.join(_AUTO)}")
        by_lid = params.flag(body, "by_lid", old.by_lid)
        hide_number = params.flag(body, "hide_number", old.hide_number)
        phone = self._world.phone(number, params.text(body, "name", ""))
        self._chats.phones.save_person(Person(phone.number, by_lid, hide_number, auto))
        return self._person(phone)

    def _list(self, request: Request, _number: str) -> Json:
        return [
            self._person(self._world.phones[number])
            for number in self._chats.phones.people
            if number in self._world.phones
        ]

    def _send(self, request: Request, number: str) -> Json:
        phone = self._phone(number)
        message = dict(request.body)
        params.reject_unknown(message, "to", "type", str(message.get("type")), "context")
        to = self._phone(params.digits(message, "to"))
        del message["to"]
        try:
            message_id, devices = self._chats.phones.send(phone, to, message)
        except BadContent as error:
            raise HttpError(400, str(error)) from error
        return {"id": message_id, "devices": devices}

    def _read(self, request: Request, number: str) -> Json:
        body = request.body
        params.reject_unknown(body, "to", "ids", "played")
        phone, to = self._phone(number), self._phone(params.digits(body, "to"))
        ids = params.texts(body, "ids")
        kind = "played" if params.flag(body, "played", False) else "read"
        self._chats.phones.send_receipts(phone, to, ids, kind)
        return {"ids": ids}

    def _report(self, request: Request, number: str) -> Json:
        body = request.body
        params.reject_unknown(body, "to", "ids", "type")
        phone, to = self._phone(number), self._phone(params.digits(body, "to"))
        ids, kind = params.texts(body, "ids"), params.text(body, "type", "")
        if kind not in _RECEIPTS:
            raise HttpError(400, f"type must be empty or one of: {', '.join(_RECEIPTS[1:])}")
        self._chats.phones.send_receipts(phone, to, ids, kind)
        return {"ids": ids}

    def _stanza(self, request: Request, number: str) -> Json:
        body = request.body
        params.reject_unknown(body, "to", "stanza")
        phone, to = self._phone(number), self._phone(params.digits(body, "to"))
        node = _node(body.get("stanza"))
        self._chats.phones.send_stanza(phone, to, node)
        return {"id": node.get("id")}

    def _type(self, request: Request, number: str) -> Json:
        body = request.body
        params.reject_unknown(body, "to", "on")
        phone, to = self._phone(number), self._phone(params.digits(body, "to"))
        on = params.flag(body, "on", True)
        self._chats.phones.send_typing(phone, to, on)
        return {"on": on}

    def _send_history(self, request: Request, number: str) -> Json:
        body = request.body
        params.reject_unknown(body, "type", "inline", "older")
        kind = params.text(body, "type", RECENT)
        if kind not in TYPES:
            raise HttpError(400, f"type must be one of: {', '.join(TYPES)}")
        inline = params.flag(body, "inline", False)
        older = params.integer(body, "older", 0, _MAX_OLDER) if "older" in body else 0
        devices, ids = self._chats.send_history(self._phone(number), kind, inline, older)
        return {"devices": devices, "ids": ids}

    def _power(self, request: Request, number: str) -> Json:
        return {"on": not self._chats.switches.is_off(self._phone(number))}

    def _switch(self, request: Request, number: str) -> Json:
        params.reject_unknown(request.body, "on")
        on = params.flag(request.body, "on", True)
        self._chats.switch_phone(self._phone(number), on)
        return {"on": on}

    def _media(self, request: Request, number: str) -> Json:
        try:
            data = self._chats.phones.download(self._phone(number), request.query.get("id", ""))
        except Unreadable as error:
            raise HttpError(410, str(error)) from error
        if data is None:
            raise HttpError(404, "no media in a received message with this id")
        return {"data": base64.b64encode(data).decode()}

    def _messages(self, request: Request, number: str) -> Json:
        after, limit = _page(request)
        return self._chats.store.received(self._phone(number).number, after, limit)

    def _sent(self, request: Request, _number: str) -> Json:
        after, limit = _page(request)
        return self._chats.store.sent(request.query.get("number", ""), after, limit)

    def _phone(self, number: str) -> Phone:
        phone = self._world.phones.get(number)
        if phone is None:
            raise HttpError(404, "no account has this number")
        return phone

    def _person(self, phone: Phone) -> dict[str, Any]:
        person = self._chats.phones.people[phone.number]
        typing = self._chats.typing.get(phone.number)
        return {**asdict(person), "name": phone.name, "lid": phone.lid, "typing": typing}


def _pattern(path: str) -> tuple[str, str]:
    """Return a path with its number replaced by `*`, and the number."""
    parts = path.split("/")
    if len(parts) == 4:
        return "/".join([*parts[:2], "*", parts[3]]), parts[2]
    return path, ""


def _node(described: object, depth: int = 0) -> Node:
    """Return the stanza that JSON describes: tag, attrs, children or data. Raises HttpError."""
    if not isinstance(described, dict) or depth > _MAX_STANZA_DEPTH:
        raise HttpError(400, "a stanza is an object, and not nested too deep")
    params.reject_unknown(described, "tag", "attrs", "children", "data")
    attrs, children = described.get("attrs", {}), described.get("children")
    if not isinstance(attrs, dict) or not isinstance(children, list | None):
        raise HttpError(400, "attrs must be an object, and children a list")
    node = Node(params.text(described, "tag"), {name: str(attrs[name]) for name in attrs})
    if children is not None:
        node.content = [_node(child, depth + 1) for child in children]
    elif "data" in described:
        try:
            node.content = base64.b64decode(params.text(described, "data"), validate=True)
        except ValueError as error:
            raise HttpError(400, "data must be base64") from error
    return node


def _page(request: Request) -> tuple[int, int]:
    """Return `after` and `limit` of a list's query."""
    after, limit = request.query.get("after", "0"), request.query.get("limit", str(_MAX_ROWS))
    if not (after.isdecimal() and limit.isdecimal()):
        raise HttpError(400, "after and limit must be whole numbers")
    return int(after), min(int(limit), _MAX_ROWS)
