"""No module imports another one that imports it back, also not for typing or inside a function."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

from django.conf import settings

PACKAGES = ("whatsapp_orgs", "organizations", "connections", "simulator", "bench", "tests")
# To be mended, after which this is gone: the test fails when one of them is no cycle any more.
KNOWN = [
    ["organizations.access", "organizations.access", "organizations.models"],
    [
        *("simulator.connection", "simulator.live_faults", "simulator.login"),
        *("simulator.messages", "simulator.pairing", "simulator.world"),
    ],
]


def modules() -> dict[str, Path]:
    """Return the modules of the project, by name."""
    root = Path(settings.BASE_DIR)
    found = {}
    for package in PACKAGES:
        for path in (root / package).rglob("*.py"):
            parts = path.relative_to(root).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = path
    return found


def imported_names(name: str, path: Path) -> set[str]:
    """Return all that a module's import statements name, wherever in it they stand."""
    package = name if path.stem == "__init__" else name.rpartition(".")[0]
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = importlib.util.resolve_name("." * node.level + base, package)
            names.update(f"{base}.{alias.name}" for alias in node.names)
    return names


def imports() -> dict[str, set[str]]:
    """Return which modules of the project each of them imports."""
    known = modules()
    graph = {}
    for name, path in known.items():
        targets = set()
        for imported in imported_names(name, path):
            while imported and imported not in known:
                imported = imported.rpartition(".")[0]
            targets.add(imported)
        graph[name] = targets - {"", name}
    return graph


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return each group of nodes that reach each other (Tarjan's algorithm)."""
    found: list[list[str]] = []
    index: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []

    def visit(node: str) -> None:
        index[node] = lowest[node] = len(index)
        stack.append(node)
        for target in sorted(graph[node]):
            if target not in index:
                visit(target)
            if target in stack:
                lowest[node] = min(lowest[node], lowest[target])
        if lowest[node] == index[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1:
                found.append(sorted(group))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def test_cycle_is_found_in_a_graph_that_has_one() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set()}
    assert cycles(graph) == [["b", "c"]]


def test_imports_for_typing_and_inside_functions_count() -> None:
    found = imports()
    supervisor = "connections.worker.supervisor"
    assert supervisor in found["whatsapp_orgs.management.commands.run_worker"]
    assert "connections.worker.task_context" in found[supervisor]


def test_no_modules_import_each_other() -> None:
    assert cycles(imports()) == KNOWN
