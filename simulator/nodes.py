"""Codec of WhatsApp's binary XML."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from .jids import LID_SERVER, USER_SERVER, Jid

Attribute = str | Jid
Content = bytes | list["Node"] | None

_EMPTY = 0
_DICTIONARY, _DICTIONARIES = 236, 4
_INTEROP_JID, _FB_JID, _AD_JID, _JID_PAIR = 245, 246, 247, 250
_LIST8, _LIST16 = 248, 249
_HEX8, _BINARY8, _BINARY20, _BINARY32, _NIBBLE8 = 251, 252, 253, 254, 255
_DOMAINS = {0: USER_SERVER, 1: LID_SERVER, 128: "hosted", 129: "hosted.lid"}
_DOMAIN_OF = {server: domain for domain, server in _DOMAINS.items()}
_NIBBLES = "0123456789-.\0\0\0\0"
_HEX = "0123456789ABCDEF"
_MAX_DEPTH = 32
_MAX_INFLATED = 1 << 20

_dictionaries = json.loads(Path(__file__).with_name("tokens.json").read_text())
_SINGLE: list[str] = _dictionaries["single"]
_DOUBLE: list[list[str]] = _dictionaries["double"]
_TOKEN_BYTES: dict[str, bytes] = {
    text: bytes([_DICTIONARY + page, index])
    for page, tokens in enumerate(_DOUBLE)
    for index, text in enumerate(tokens)
} | {text: bytes([index]) for index, text in enumerate(_SINGLE) if text}


class NodeError(ValueError):
    """The bytes are not a valid node."""


@dataclass(slots=True)
class Node:
    """One element: a tag, attributes, and bytes or children (text content reads as its bytes)."""

    tag: str
    attrs: dict[str, Attribute] = field(default_factory=dict)
    content: Content = None

    def children(self) -> list[Node]:
        """Return the child nodes, empty when the content is not a list."""
        return self.content if isinstance(self.content, list) else []

    def child(self, *path: str) -> Node | None:
        """Return the first descendant along a path of tags, or None."""
        node: Node | None = self
        for tag in path:
            node = next((n for n in node.children() if n.tag == tag), None) if node else None
        return node

    def data(self) -> bytes:
        """Return the content as bytes, empty when it is not bytes."""
        return self.content if isinstance(self.content, bytes) else b""

    def get(self, name: str) -> str:
        """Return an attribute as text, empty when absent."""
        return str(self.attrs.get(name, ""))


def encode(node: Node) -> bytes:
    """Encode one node, with the leading (uncompressed) flag byte."""
    out = bytearray(b"\x00")
    _write_node(out, node)
    return bytes(out)


def decode(data: bytes) -> Node:
    """Decode one node with its flag byte. Raises NodeError when it is malformed or truncated."""
    if not data:
        raise NodeError("empty frame")
    body = data[1:]
    if data[0] & 2:
        body = _inflate(body)
    reader = _Reader(body)
    node = reader.node(0)
    if reader.index != len(body):
        raise NodeError("bytes left after the node")
    return node


def _inflate(body: bytes) -> bytes:
    inflater = zlib.decompressobj()
    try:
        out = inflater.decompress(body, _MAX_INFLATED)
    except zlib.error as error:
        raise NodeError("bad zlib stream") from error
    if not inflater.eof:
        raise NodeError("zlib stream cut short or too large")
    return out


def _write_node(out: bytearray, node: Node) -> None:
    if not node.tag:
        raise NodeError("a node needs a tag")
    _write_list(out, 1 + 2 * len(node.attrs) + (node.content is not None))
    _write_text(out, node.tag)
    for name, value in node.attrs.items():
        _write_text(out, name)
        if isinstance(value, Jid):
            _write_jid(out, value)
        else:
            _write_text(out, value)
    if isinstance(node.content, bytes):
        _write_bytes(out, node.content)
    elif node.content is not None:
        _write_list(out, len(node.content))
        for child in node.content:
            _write_node(out, child)


def _write_list(out: bytearray, size: int) -> None:
    if size == 0:
        out.append(_EMPTY)
    elif size < 256:
        out += bytes([_LIST8, size])
    else:
        out.append(_LIST16)
        out += size.to_bytes(2, "big")


def _write_text(out: bytearray, text: str) -> None:
    token = _TOKEN_BYTES.get(text)
    if token is None:
        _write_bytes(out, text.encode())
    else:
        out += token


def _write_bytes(out: bytearray, data: bytes) -> None:
    size = len(data)
    if size < 256:
        out += bytes([_BINARY8, size])
    elif size < 1 << 20:
        out.append(_BINARY20)
        out += size.to_bytes(3, "big")
    else:
        out.append(_BINARY32)
        out += size.to_bytes(4, "big")
    out += data


def _write_jid(out: bytearray, jid: Jid) -> None:
    if jid.device and jid.server in _DOMAIN_OF:
        out += bytes([_AD_JID, _DOMAIN_OF[jid.server], jid.device])
        _write_text(out, jid.user)
        return
    out.append(_JID_PAIR)
    if jid.user:
        _write_text(out, jid.user)
    else:
        out.append(_EMPTY)
    _write_text(out, jid.server)


class _Reader:
    """A cursor over the bytes of one node."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.index = 0

    def node(self, depth: int) -> Node:
        if depth > _MAX_DEPTH:
            raise NodeError("nodes nested too deep")
        size = self._list_size(self._number(1))
        tag = self._text()
        if not tag or not isinstance(tag, str):
            raise NodeError("a node without a tag")
        attrs: dict[str, Attribute] = {}
        for _ in range((size - 1) // 2):
            name = self._text()
            if not isinstance(name, str):
                raise NodeError("an attribute name that is not text")
            attrs[name] = self._text()
        return Node(tag, attrs, None if size % 2 else self._content(depth))

    def _content(self, depth: int) -> Content:
        start = self.data[self.index : self.index + 1]
        if start and start[0] in (_EMPTY, _LIST8, _LIST16):
            count = self._list_size(self._number(1))
            return [self.node(depth + 1) for _ in range(count)]
        if start and start[0] in (_BINARY8, _BINARY20, _BINARY32):
            return self._raw(self._binary_size(self._number(1)))
        return str(self._text()).encode()

    def _text(self) -> Attribute:
        tag = self._number(1)
        if tag < len(_SINGLE):
            return _SINGLE[tag]
        if _DICTIONARY <= tag < _DICTIONARY + _DICTIONARIES:
            page, index = _DOUBLE[tag - _DICTIONARY], self._number(1)
            if index >= len(page):
                raise NodeError("unknown dictionary entry")
            return page[index]
        if tag in (_NIBBLE8, _HEX8):
            return self._packed(_NIBBLES if tag == _NIBBLE8 else _HEX)
        if tag in (_BINARY8, _BINARY20, _BINARY32):
            return self._raw(self._binary_size(tag)).decode("utf-8", "replace")
        return self._jid(tag)

    def _jid(self, tag: int) -> Jid:
        if tag == _JID_PAIR:
            user, server = str(self._text()), str(self._text())
            return Jid(user, server)
        if tag == _AD_JID:
            domain, device = self._number(1), self._number(1)
            return Jid(str(self._text()), _DOMAINS.get(domain, USER_SERVER), device)
        if tag in (_FB_JID, _INTEROP_JID):
            user, device = str(self._text()), self._number(2)
            if tag == _INTEROP_JID:
                self._number(2)
            return Jid(user, str(self._text()), device)
        raise NodeError(f"unknown token {tag}")

    def _packed(self, alphabet: str) -> str:
        size = self._number(1)
        raw = self._raw(size & 0x7F)
        text = "".join(alphabet[byte >> 4] + alphabet[byte & 15] for byte in raw)
        return text[:-1] if size & 0x80 else text

    def _list_size(self, tag: int) -> int:
        if tag == _EMPTY:
            return 0
        if tag in (_LIST8, _LIST16):
            return self._number(1 if tag == _LIST8 else 2)
        raise NodeError(f"expected a list, found {tag}")

    def _binary_size(self, tag: int) -> int:
        if tag == _BINARY20:
            return self._number(3) & 0xFFFFF
        return self._number(1 if tag == _BINARY8 else 4)

    def _number(self, size: int) -> int:
        return int.from_bytes(self._raw(size), "big")

    def _raw(self, size: int) -> bytes:
        if self.index + size > len(self.data):
            raise NodeError("node cut short")
        self.index += size
        return self.data[self.index - size : self.index]
