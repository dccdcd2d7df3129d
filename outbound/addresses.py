"""Checks URLs that somebody else has chosen, and the IP addresses of their hosts."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

import httpx

from outbound.errors import AddressRefused
from outbound.policy import Policy

MAX_URL_BYTES = 2048
PORTS = frozenset({443, 8443})
DEFAULT_PORTS = {"http": 80, "https": 443}

_LABEL = r"(?!-)[a-z0-9_-]{1,63}(?<!-)"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
# Names that never are on the public internet; each stands for all below it.
_LOCAL_NAMES = (
    *("localhost", "local", "localdomain", "internal", "intranet", "lan", "home", "corp"),
    *("private", "test", "invalid", "onion", "home.arpa"),
)

# Not all of these are private by the registry of IANA, but all of them lead inside, or nowhere.
_NOT_PUBLIC = tuple(
    map(
        ip_network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
            *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24"),
            *("192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
            *("224.0.0.0/4", "240.0.0.0/4"),
            "168.63.129.16/32",  # What an Azure machine is told its secrets by.
            "2001::/23",  # Teredo among others.
            *("2001:db8::/32", "2002::/16", "3fff::/20"),  # Examples, 6to4, examples.
        ),
    )
)
# All that is handed out to the internet. Outside lie mapped addresses, NAT64 and private ones.
_PUBLIC_IPV6 = IPv6Network("2000::/3")

Address = IPv4Address | IPv6Address


@dataclass(frozen=True)
class ParsedUrl:
    """A URL that may be requested. `host`: a name in ASCII, or an IP address without brackets."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL as it is requested."""
        return f"{self.scheme}://{self.authority}{self.target}"


def check_url(url: str, policy: Policy) -> ParsedUrl:
    """Return a URL that may be requested, unless its host's addresses forbid it.

    No name is looked up. Raises AddressRefused.
    """
    try:
        if len(url.encode()) > MAX_URL_BYTES:
            raise AddressRefused
        parsed = httpx.URL(url)
        port = parsed.port
    # UnicodeError: of half a character, or of a name that idna does not encode.
    except (httpx.InvalidURL, UnicodeError):
        raise AddressRefused from None
    scheme = parsed.scheme
    if scheme not in DEFAULT_PORTS or "@" in re.split("[/?#]", url.partition("//")[2])[0]:
        raise AddressRefused
    host = canonical_host(parsed.raw_host.decode())
    found = ParsedUrl(
        scheme, host, DEFAULT_PORTS[scheme] if port is None else port, parsed.raw_path.decode()
    )
    if not policy.trusts(host, found.port):
        _check_public(found, policy)
    if not 0 < found.port < 65536:
        raise AddressRefused
    return found


def is_public(address: Address | str) -> bool:
    """Return whether an IP address is one of the public internet."""
    found = ip_address(address) if isinstance(address, str) else address
    if isinstance(found, IPv6Address) and (found.scope_id or found not in _PUBLIC_IPV6):
        return False
    return found.is_global and not any(found in network for network in _NOT_PUBLIC)


def literal(host: str) -> Address | None:
    """Return the IP address that a host of a ParsedUrl is, None for a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def _check_public(url: ParsedUrl, policy: Policy) -> None:
    """Raise AddressRefused unless a URL may lead to the public internet."""
    if url.scheme != "https" or url.port not in PORTS or policy.is_own(url.host):
        raise AddressRefused
    address = literal(url.host)
    if address is not None:
        if not is_public(address):
            raise AddressRefused
    elif is_inner_name(url.host):
        raise AddressRefused


def is_inner_name(name: str) -> bool:
    """Return whether a name never is on the public internet: one without a dot is of our own."""
    return "." not in name or f".{name}".endswith(tuple(f".{inner}" for inner in _LOCAL_NAMES))


def canonical_host(host: str) -> str:
    """Return a host in its one spelling: an IPv4 address in every form becomes the dotted one.

    Raises AddressRefused for what is no host.
    """
    if ":" in host:
        try:
            address = IPv6Address(host)
        except ValueError:
            raise AddressRefused from None
        if address.scope_id:
            raise AddressRefused
        return str(address)
    name = host.lower().removesuffix(".")
    if not _NAME.fullmatch(name) or len(name) > 253:
        raise AddressRefused
    if _is_number(name.rpartition(".")[2]):
        # As browsers and most programs read it: 127.1, 0x7f.1, 017700000001, 2130706433.
        try:
            return socket.inet_ntoa(socket.inet_aton(name))
        except OSError:
            raise AddressRefused from None
    return name


def _is_number(label: str) -> bool:
    """Return whether a host that ends in this label is an IPv4 address."""
    return label.isdigit() or re.fullmatch(r"0x[0-9a-f]*", label) is not None
