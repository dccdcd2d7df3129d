"""All sessions of a simulated account with one device, as they are stored."""

from __future__ import annotations

import json
from typing import Any

from simulator import wire

from .identity import Bundle, Identity
from .primitives import Unreadable, pad, unpad
from .ratchet import Chain, OldCounter, Ratchet, Unanswered, strip_version

_MAX_STATES = 8


class SignalSession:
    """The current session with a device and the older ones, which late messages may need."""

    def __init__(self, identity: Identity, stored: str | None = None) -> None:
        self._identity = identity
        self._states: list[Ratchet] = [_load(state) for state in json.loads(stored or "[]")]

    @property
    def exists(self) -> bool:
        """Return whether a session was started by either side."""
        return bool(self._states)

    @property
    def remote(self) -> bytes:
        """Return the other device's identity key, empty before the first session."""
        return self._states[0].remote if self._states else b""

    def start(self, bundle: Bundle) -> None:
        """Start a new session with the device of a bundle."""
        self._promote(Ratchet.start(self._identity, bundle))

    def encrypt(self, plain: bytes) -> tuple[str, bytes]:
        """Return the type of the encrypted message and its data. `start` comes first."""
        return self._states[0].encrypt(self._identity, pad(plain))

    def decrypt(self, kind: str, data: bytes) -> bytes:
        """Return the plaintext of a `pkmsg` or a `msg`. Raises Unreadable (OldCounter)."""
        try:
            return unpad(self._decrypt(kind, data))
        except Unreadable:
            raise
        except (wire.WireError, ValueError) as error:
            raise Unreadable(str(error)) from error

    def dump(self) -> str:
        """Return the sessions for the constructor's `stored`."""
        return json.dumps([_store(state) for state in self._states], default=bytes.hex)

    def _decrypt(self, kind: str, data: bytes) -> bytes:
        if kind not in ("pkmsg", "msg"):
            raise Unreadable(f"an unknown type: {kind}")
        message = data
        if kind == "pkmsg":
            opening = wire.decode(strip_version(data))
            message = opening.data(4)
            if not any(b"\x05" + state.base == opening.data(2) for state in self._states):
                state, plain = Ratchet.answer(self._identity, opening).decrypt(
                    self._identity, message
                )
                self._promote(state)
                return plain
        return self._decrypt_with_any(message)

    def _decrypt_with_any(self, message: bytes) -> bytes:
        failure = Unreadable("no session")
        for state in list(self._states):
            try:
                after, plain = state.decrypt(self._identity, message)
            except OldCounter as error:
                failure = error
            except (wire.WireError, ValueError) as error:
                if not isinstance(failure, OldCounter):
                    failure = Unreadable(str(error))
            else:
                self._states.remove(state)
                self._promote(after)
                return plain
        raise failure

    def _promote(self, state: Ratchet) -> None:
        self._states = [state, *self._states][:_MAX_STATES]


def _store(state: Ratchet) -> dict[str, Any]:
    """Return the fields of a session for JSON; `dataclasses.asdict` would be slow."""
    fields = {name: getattr(state, name) for name in Ratchet.__slots__}
    fields["chains"] = [
        {name: getattr(chain, name) for name in Chain.__slots__} for chain in state.chains
    ]
    if state.unanswered:
        names = Unanswered.__slots__
        fields["unanswered"] = {name: getattr(state.unanswered, name) for name in names}
    return fields


def _load(stored: dict[str, Any]) -> Ratchet:
    """Return a session from its JSON, in which bytes are written as hex."""
    texts = ("remote", "base", "root", "ratchet", "sending")
    fields = stored | {name: bytes.fromhex(stored[name]) for name in texts}
    fields["chains"] = [
        Chain(
            bytes.fromhex(chain["ratchet"]),
            bytes.fromhex(chain["key"]),
            chain["index"],
            {int(index): bytes.fromhex(key) for index, key in chain["skipped"].items()},
        )
        for chain in stored["chains"]
    ]
    if unanswered := stored["unanswered"]:
        base = bytes.fromhex(unanswered["base"])
        fields["unanswered"] = Unanswered(unanswered["key_id"], unanswered["signed_id"], base)
    return Ratchet(**fields)
