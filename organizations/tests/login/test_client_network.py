"""All addresses that one client can use map to the same network."""

from __future__ import annotations

import pytest

from organizations.client_network import network_of


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:C000:0201", "192.0.2.1"),
        ("2001:db8:0:1::1", "2001:db8:0:1::"),
        ("2001:DB8:0:1:ffff:ffff:ffff:ffff", "2001:db8:0:1::"),
        ("2001:db8:0:2::1", "2001:db8:0:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("::1", "::"),
        (None, "unknown"),
        ("", "unknown"),
        ("nonsense", "unknown"),
        ("192.0.2.1:443", "unknown"),
        ("[2001:db8::1]", "unknown"),
        ("\0", "unknown"),
    ],
)
def test_address_is_mapped_to_its_network(address: str | None, network: str) -> None:
    assert network_of(address) == network
