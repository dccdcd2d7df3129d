"""The faults of an organization's own proxy, which docs/faults.md prints and test_own_proxy plays.

Each is a kind of the simulator's proxies, a mode of theirs, and the detail that people are told.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from connections.lifecycle import Reason, State
from tests.faults.row import Credentials, Phase, Recovery, Row

SECONDS = 60.0


@dataclass(frozen=True)
class ProxyFault:
    """A fault of a proxy: its row, and how the simulator plays it. `detail`: what is told of it."""

    kind: str
    mode: str
    row: Row
    detail: str = ""


_linked = partial(Row, Phase.LINKED, within=SECONDS, expected_within=SECONDS, has_duration=True)
_REFUSED = (State.RECONNECTING, Reason.PROXY_REFUSED)
_UNTRUSTED = (State.RECONNECTING, Reason.PROXY_UNTRUSTED)
_UNREACHABLE = (State.RECONNECTING, Reason.PROXY_UNREACHABLE)

LINKED = (
    ProxyFault(
        "http",
        "refuse",
        _linked("own_proxy_http_refuses", "it refuses: HTTP status 407", _REFUSED),
        "it answered with HTTP status 407",
    ),
    ProxyFault(
        "http",
        "garbage",
        _linked("own_proxy_garbage", "something else than a proxy answers", _UNTRUSTED),
        "it is no such proxy",
    ),
    ProxyFault(
        "socks5",
        "refuse",
        _linked("own_proxy_socks_refuses", "it does not accept user and password", _REFUSED),
        "it did not accept user and password",
    ),
    ProxyFault(
        "socks5",
        "other_certificate",
        _linked("own_proxy_certificate", "it leads to somebody else than WhatsApp", _UNTRUSTED),
        "its certificate is not trusted",
    ),
    ProxyFault(
        "socks5",
        "dead",
        _linked("own_proxy_dead", "it is dead", _UNREACHABLE),
        "the connection was refused",
    ),
)
PAIRING = ProxyFault(
    "http",
    "refuse",
    Row(
        Phase.PAIRING,
        "own_proxy_pairing",
        "it refuses while a phone is to be linked",
        (State.ACTION_NEEDED, Reason.PAIRING_PROXY_FAILED),
        Recovery.NEW_CODE,
        credentials=Credentials.NONE_YET,
        expected_within=SECONDS,
    ),
)
ROWS = (*(fault.row for fault in LINKED), PAIRING.row)
