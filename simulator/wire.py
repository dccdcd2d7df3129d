"""A minimal protobuf codec, sufficient for handshake, pairing and the content of messages."""

from __future__ import annotations

import struct
from collections.abc import Mapping

Value = int | bytes
Field = int | float | bytes | str | list[bytes]

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class WireError(ValueError):
    """The bytes are not a valid protobuf message."""


class Message(dict[int, Value]):
    """A decoded message: the last value by field number; `all` returns the earlier ones, too."""

    def __init__(self) -> None:
        super().__init__()
        self._repeated: dict[int, list[Value]] = {}

    def add(self, field: int, value: Value) -> None:
        """Add a value of a field."""
        if field in self:
            self._repeated.setdefault(field, [self[field]]).append(value)
        self[field] = value

    def all(self, field: int) -> list[Message]:
        """Return all nested messages of a repeated field."""
        values = self._repeated.get(field, [self[field]] if field in self else [])
        return [decode(value) for value in values if isinstance(value, bytes)]

    def text(self, field: int) -> str:
        """Return a text field, empty when absent. Raises WireError for other types."""
        return self.data(field).decode("utf-8", "replace")

    def double(self, field: int) -> float:
        """Return a double field, 0 when absent. Raises WireError for other types."""
        data = self.data(field)
        if len(data) not in (0, 8):
            raise WireError(f"field {field} is not a double")
        return float(struct.unpack("<d", data)[0]) if data else 0.0

    def data(self, field: int) -> bytes:
        """Return a length-delimited field, empty when absent. Raises WireError for other types."""
        value = self.get(field, b"")
        if not isinstance(value, bytes):
            raise WireError(f"field {field} is not bytes")
        return value

    def number(self, field: int) -> int:
        """Return a varint field, 0 when absent. Raises WireError for other types."""
        value = self.get(field, 0)
        if not isinstance(value, int):
            raise WireError(f"field {field} is not a number")
        return value

    def message(self, field: int) -> Message:
        """Return the nested message of a field, empty when absent."""
        return decode(self.data(field))


def encode(fields: Mapping[int, Field]) -> bytes:
    """Encode non-negative ints, doubles, bytes, texts and lists of bytes, in the given order."""
    out = bytearray()
    for field, value in fields.items():
        if isinstance(value, int):
            out += _varint(field << 3 | _VARINT) + _varint(value)
        elif isinstance(value, float):
            out += _varint(field << 3 | _FIXED64) + struct.pack("<d", value)
        elif isinstance(value, list):
            for item in value:
                out += encode({field: item})
        else:
            raw = value.encode() if isinstance(value, str) else value
            out += _varint(field << 3 | _BYTES) + _varint(len(raw)) + raw
    return bytes(out)


def decode(data: bytes) -> Message:
    """Decode one message. Raises WireError when it is truncated or malformed."""
    message, index = Message(), 0
    while index < len(data):
        key, index = _read_varint(data, index)
        field, kind = key >> 3, key & 7
        if field == 0:
            raise WireError("field number 0")
        if kind == _VARINT:
            number, index = _read_varint(data, index)
            message.add(field, number)
            continue
        if kind == _BYTES:
            size, index = _read_varint(data, index)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise WireError(f"unknown wire type {kind}")
        if index + size > len(data):
            raise WireError("message cut short")
        message.add(field, data[index : index + size])
        index += size
    return message


def _varint(value: int) -> bytes:
    if value < 0:
        raise WireError("negative number")
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(data: bytes, index: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if index >= len(data) or shift > 63:
            raise WireError("bad varint")
        byte = data[index]
        index += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, index
        shift += 7
