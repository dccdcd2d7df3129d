"""The short form of `make chaos`."""

from pathlib import Path

from tests.chaos.run import run

ORGANIZATIONS, SECONDS, SEED, PACE = 12, 40.0, 20260301, 0.6


def test_after_a_storm_all_is_as_people_want_it(tmp_path: Path) -> None:
    report = run(tmp_path / "data", ORGANIZATIONS, SECONDS, SEED, PACE)
    print(report)
    assert report.recoveries.all, "a storm that harmed no one"
    assert not report.violations, f"seed {SEED}\n{report}"
