"""The measurement of messages in short form."""

from __future__ import annotations

from pathlib import Path

from bench.linked import Linked
from bench.messages import MessagingProduct, burst, load, report


def test_burst_and_load_arrive_without_a_lost_link(tmp_path: Path) -> None:
    with MessagingProduct(tmp_path / "bench") as product:
        fleet = Linked(product, quiet_seconds=1.0)
        fleet.link(1)
        fleet.settle()
        assert "100 messages" in burst(fleet, product, 100)
        fleet.link(3)
        samples, result, written = load(fleet, product, 6, 2)
        lines = report(samples, result, written)
    print("\n".join(lines))
    assert not result.problems, result.problems
    assert "  links lost: 0" in lines
    parts = [line.split(":")[0].strip() for line in lines if line.endswith("% of a core")]
    assert parts == ["web", "worker", "hosts", "simulator"]
    assert result.counts["in: received"] == 36
