"""Which network a client's address belongs to: what limits count by.

One client chooses freely from a whole IPv6 /64, and a listener for both protocols sees IPv4
clients as `::ffff:a.b.c.d`. Audit entries keep the address itself.
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
    # A number has no scope, such as the "%eth0" of a link-local address.
    network = ipaddress.IPv6Network((int(found), 64), strict=False)
    return str(network.network_address)
