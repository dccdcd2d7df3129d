"""Password spraying checks no more passwords than the limits allow."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from tests.attacks.login_spray import Guesser, attack, print_table
from tests.support.application import Application


def test_checked_passwords_are_limited(tmp_path: Path) -> None:
    with Application(
        tmp_path / "data",
        TRUST_PROXY="true",
        LOGIN_ATTEMPTS="3",
        LOGIN_ATTEMPTS_PER_NETWORK="6",
        LOGIN_ATTEMPTS_PER_NAME="4",
    ) as application:
        results = attack(application.url, attempts=12)
    print_table(results)
    sprayed, parallel, one_network, spellings, many_networks = results
    assert sprayed.checked == 6
    # A slow machine has no slot for some of them; those are busy, and none is checked instead.
    assert parallel.checked <= 6 <= parallel.checked + parallel.busy
    # The attempt that reaches the limit is checked, and refused.
    assert (one_network.checked, spellings.checked) == (2, 2)
    # After the fourth failure the delay is 1 s, then 2, 4, 8 …
    further = math.floor(math.log2(many_networks.seconds + 1))
    assert 4 <= many_networks.checked <= 4 + further + 1


@pytest.mark.parametrize("url", ["http://192.0.2.1:8000", "http://[2001:db8::1]/"])
def test_server_that_is_not_on_loopback_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="loopback"):
        Guesser(url)
