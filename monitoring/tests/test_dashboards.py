"""What deploy/ asks Prometheus for is what /metrics tells, by name and by label."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

from connections.lifecycle import RULES, Reason, State
from connections.models import Worker
from monitoring import exposition
from monitoring.counters import Totals
from monitoring.gauges import Gauges

pytestmark = pytest.mark.sqlite_only

DEPLOY = Path(settings.BASE_DIR) / "deploy"
DASHBOARD = DEPLOY / "grafana" / "whatsapp_orgs.json"
ALERTS = DEPLOY / "prometheus" / "alerts.yml"
ALERTS_TEST = DEPLOY / "prometheus" / "alerts_test.yml"
MONITORING = Path(settings.BASE_DIR) / "docs" / "monitoring.md"

NAME = re.compile(r"\b((?:whatsapp_orgs|process)_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*(?:=~|!=|!~|=)\s*"([^"]*)"')
# Prometheus gives these to every series.
OF_PROMETHEUS = {"instance", "job"}


def told() -> str:
    """All that can be told, of a fleet that has one of everything."""
    now = Gauges(workers=[Worker(pk=1, capacity=1000)])
    now.organizations.update((state, reason) for state in State for reason in Reason)
    checks = dict.fromkeys(("database", "migrations", "channel_layer", "worker"), True)
    return exposition.text(checks, 0, (now, Totals(), 0.1))


@pytest.fixture(scope="module")
def series() -> dict[str, dict[str, set[str]]]:
    """The labels of each name, and the values of each label."""
    found: dict[str, dict[str, set[str]]] = {}
    for line in told().splitlines():
        if line.startswith("#"):
            continue
        name, _, labels = line.rpartition(" ")[0].partition("{")
        pairs = re.findall(r'(\w+)="([^"]*)"', labels)
        of_name = found.setdefault(name, {})
        for label, value in pairs:
            of_name.setdefault(label, set()).add(value)
    return found


def dashboard() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return read


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> Iterator[tuple[str, str]]:
    """Where it stands, and what it says."""
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", []):
            yield f"panel {panel['title']}", target["expr"]
    for rule in alerts():
        yield f"alert {rule['alert']}", rule["expr"]


def test_every_expression_asks_for_what_is_told(series: dict[str, dict[str, set[str]]]) -> None:
    wrong = []
    for where, expression in expressions():
        named = NAME.findall(expression)
        assert named, where
        for name, matchers in named:
            if name not in series:
                wrong.append(f"{where}: there is no {name}")
                continue
            for label, pattern in MATCHER.findall(matchers):
                for value in pattern.split("|"):
                    if value not in series[name].get(label, set()):
                        wrong.append(f"{where}: {name} has no {label}={value}")
    assert not wrong, "\n".join(wrong)


def test_every_label_that_is_grouped_by_is_there(series: dict[str, dict[str, set[str]]]) -> None:
    for where, expression in expressions():
        there = OF_PROMETHEUS.union(*(series[name] for name, _ in NAME.findall(expression)))
        for labels in re.findall(r"\b(?:by|on|without)\s*\(([^)]*)\)", expression):
            assert {label.strip() for label in labels.split(",")} <= there, where
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", []):
            there = set(series[NAME.findall(target["expr"])[0][0]]) | OF_PROMETHEUS
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= there, panel[
                "title"
            ]


def test_replicas_tell_the_same_and_are_never_added_up() -> None:
    for where, expression in expressions():
        for inside in re.findall(r"\bsum(?: by \([^)]*\))?\s*\(([^()]*)", expression):
            assert inside.strip() == "max by", where


def test_the_dashboard_can_be_imported_anywhere() -> None:
    board = dashboard()
    assert [one["name"] for one in board["templating"]["list"]] == ["datasource"]
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for part in [panel, *panel.get("targets", [])]:
            if panel["type"] != "row":
                assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    for one in panels:
        for other in panels:
            assert one is other or not _overlap(one["gridPos"], other["gridPos"]), one["title"]


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
    apart = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    return not (beside or apart)


def test_every_alert_says_what_to_do() -> None:
    rules = alerts()
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"] and rule["annotations"]["description"]


def test_the_documentation_names_every_metric(series: dict[str, dict[str, set[str]]]) -> None:
    text = MONITORING.read_text()
    own = {name for name in series if name.startswith("whatsapp_orgs_")}
    shown = {re.sub(r"_(bucket|count|sum|created)$", "", name) for name in own}
    missing = {name for name in shown if f"`{name.removeprefix('whatsapp_orgs_')}" not in text}
    assert not missing
    assert {str(observation) for observation in RULES} == series["whatsapp_orgs_events_total"][
        "observation"
    ]


# --- As Prometheus reads them -------------------------------------------------------------------


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed; on Debian: apt-get install prometheus")
    return found


@pytest.mark.parametrize("arguments", [("check", "rules", ALERTS), ("test", "rules", ALERTS_TEST)])
def test_prometheus_reads_the_alerts(promtool: str, arguments: tuple[str, ...]) -> None:
    done = subprocess.run([promtool, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_reads_the_metrics(promtool: str) -> None:
    done = subprocess.run(
        [promtool, "check", "metrics"], input=told(), capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_prometheus_reads_every_expression(promtool: str, tmp_path: Path) -> None:
    rules = [
        # Grafana fills these in.
        {"record": f"rule_{number}", "expr": expression.replace("$__rate_interval", "1m")}
        for number, (_, expression) in enumerate(expressions())
    ]
    path = tmp_path / "expressions.yml"
    path.write_text(json.dumps({"groups": [{"name": "all", "rules": rules}]}))
    done = subprocess.run(
        [promtool, "check", "rules", str(path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
