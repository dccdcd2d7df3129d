"""The network of a client's address, by which limits count.

One client can use any address of an IPv6 /64, and a dual-stack listener sees IPv4 clients as
`::ffff:a.b.c.d`. Audit entries store the address itself.
"""

from __future__ import annotations

import ipaddress

UNKNOWN = "unknown"


def network_of(address: str | None) -> str:
    """Return the IPv4 address, the network address of the IPv6 /64, or "unknown"."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return UNKNOWN
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    # int() drops the scope of a link-local address, such as "%eth0".
    network = ipaddress.IPv6Network((int(found), 64), strict=False)
    return str(network.network_address)
