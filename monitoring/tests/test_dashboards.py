"""The dashboards and alerts in deploy/ use only names and labels that /metrics has."""

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
from monitoring.gauges import Gauges
from monitoring.totals import Totals

pytestmark = pytest.mark.sqlite_only

DEPLOY = Path(settings.BASE_DIR) / "deploy"
DASHBOARD = DEPLOY / "grafana" / "whatsapp_orgs.json"
ALERTS = DEPLOY / "prometheus" / "alerts.yml"
ALERTS_TEST = DEPLOY / "prometheus" / "alerts_test.yml"
MONITORING = Path(settings.BASE_DIR) / "docs" / "monitoring.md"

NAME = re.compile(r"\b((?:whatsapp_orgs|process)_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*(?:=~|!=|!~|=)\s*"([^"]*)"')
# Prometheus adds these to every series.
PROMETHEUS_LABELS = {"instance", "job"}


def exposition_text() -> str:
    """Return all possible metrics: a fleet with one of everything."""
    now = Gauges(workers=[Worker(pk=1, capacity=1000)])
    now.organizations.update((state, reason) for state in State for reason in Reason)
    checks = dict.fromkeys(("database", "migrations", "channel_layer", "worker"), True)
    return exposition.text(checks, 0, (now, Totals(), 0.1))


@pytest.fixture(scope="module")
def series() -> dict[str, dict[str, set[str]]]:
    """Return the labels of each metric, and their values."""
    found: dict[str, dict[str, set[str]]] = {}
    for line in exposition_text().splitlines():
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
    """Yield the place and the text of each expression."""
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", []):
            yield f"panel {panel['title']}", target["expr"]
    for rule in alerts():
        yield f"alert {rule['alert']}", rule["expr"]


def test_every_expression_uses_existing_metrics_and_labels(
    series: dict[str, dict[str, set[str]]],
) -> None:
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


def test_every_grouping_label_exists(series: dict[str, dict[str, set[str]]]) -> None:
    for where, expression in expressions():
        labels_known = PROMETHEUS_LABELS.union(
            *(series[name] for name, _ in NAME.findall(expression))
        )
        for labels in re.findall(r"\b(?:by|on|without)\s*\(([^)]*)\)", expression):
            assert {label.strip() for label in labels.split(",")} <= labels_known, where
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", []):
            labels_known = set(series[NAME.findall(target["expr"])[0][0]]) | PROMETHEUS_LABELS
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= labels_known, panel[
                "title"
            ]


def test_sums_take_the_maximum_over_replicas_first() -> None:
    for where, expression in expressions():
        for inside in re.findall(r"\bsum(?: by \([^)]*\))?\s*\(([^()]*)", expression):
            assert inside.strip() == "max by", where


def test_dashboard_has_no_fixed_data_source_or_overlap() -> None:
    board = dashboard()
    assert [panel_a["name"] for panel_a in board["templating"]["list"]] == ["datasource"]
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        grid = panel["gridPos"]
        assert grid["x"] + grid["w"] <= 24
        for part in [panel, *panel.get("targets", [])]:
            if panel["type"] != "row":
                assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    for panel_a in panels:
        for panel_b in panels:
            assert panel_a is panel_b or not _overlap(panel_a["gridPos"], panel_b["gridPos"]), (
                panel_a["title"]
            )


def _overlap(panel_a: dict[str, int], panel_b: dict[str, int]) -> bool:
    beside = (
        panel_a["x"] + panel_a["w"] <= panel_b["x"] or panel_b["x"] + panel_b["w"] <= panel_a["x"]
    )
    apart = (
        panel_a["y"] + panel_a["h"] <= panel_b["y"] or panel_b["y"] + panel_b["h"] <= panel_a["y"]
    )
    return not (beside or apart)


def test_every_alert_has_a_severity_and_a_description() -> None:
    rules = alerts()
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"] and rule["annotations"]["description"]


def test_documentation_names_every_metric(series: dict[str, dict[str, set[str]]]) -> None:
    text = MONITORING.read_text()
    own = {name for name in series if name.startswith("whatsapp_orgs_")}
    shown = {re.sub(r"_(bucket|count|sum|created)$", "", name) for name in own}
    missing = {name for name in shown if f"`{name.removeprefix('whatsapp_orgs_')}" not in text}
    assert not missing
    assert {str(observation) for observation in RULES} == series["whatsapp_orgs_events_total"][
        "observation"
    ]


# --- promtool -----------------------------------------------------------------------------------


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed; on Debian: apt-get install prometheus")
    return found


@pytest.mark.parametrize("arguments", [("check", "rules", ALERTS), ("test", "rules", ALERTS_TEST)])
def test_promtool_accepts_the_alerts(promtool: str, arguments: tuple[str, ...]) -> None:
    done = subprocess.run([promtool, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_accepts_the_metrics(promtool: str) -> None:
    done = subprocess.run(
        [promtool, "check", "metrics"],
        input=exposition_text(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_promtool_accepts_every_expression(promtool: str, tmp_path: Path) -> None:
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
