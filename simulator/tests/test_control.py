"""The control API's errors, and the simulator's process."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from simulator.process import Simulator, SimulatorError, start
from simulator.trust import TrustError, trust_simulator


def call(
    simulator: Simulator,
    method: str,
    path: str,
    body: str = "",
    headers: dict[str, str] | None = None,
) -> int:
    port = int(simulator.control_url.rpartition(":")[2])
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        link.request(method, path, body, headers or {})
        response = link.getresponse()
        answer = json.loads(response.read())
        assert response.status == 200 or list(answer) == ["error"]
        return response.status
    finally:
        link.close()


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/health", "", 200),
        ("GET", "/stats?x=1", "", 200),
        ("GET", "/logins", "", 200),
        ("GET", "/nothing", "", 404),
        ("POST", "/health", "", 405),
        ("GET", "/people", "", 200),
        ("GET", "/people/5511987654321/send", "", 405),
        ("GET", "/people/5511987654321/messages", "", 404),
        ("POST", "/people/5511987654321/read", "{}", 404),
        ("POST", "/people/5511987654321/nothing", "{}", 404),
        ("POST", "/people/5511987654321/stanza", "{}", 404),
        ("POST", "/people", '{"number": "0911"}', 400),
        ("POST", "/people", '{"phone": "5511987654321"}', 400),
        ("GET", "/sent?after=x", "", 400),
        ("GET", "/connections", '{"qr": "x"}', 400),
        ("GET", "/connections", '{"number": "5511987654321"}', 400),
        ("POST", "/scan", "", 400),
        ("POST", "/scan", "{", 400),
        ("POST", "/scan", "[]", 400),
        ("POST", "/scan", '{"qr": 5}', 400),
        ("POST", "/scan", '{"qr": "x", "phone": "5"}', 400),
        ("POST", "/enter-code", '{"number": "5511987654321", "code": "ABCD-1234"}', 404),
        ("POST", "/enter-code", '{"number": "0911", "code": "ABCD-1234"}', 400),
        ("POST", "/unlink", "{}", 400),
        ("POST", "/unlink", '{"number": "5511987654321"}', 404),
        ("POST", "/unlink", '{"number": "5511987654321", "jid": "x"}', 400),
        ("POST", "/drop", '{"all": false}', 400),
        ("POST", "/drop", '{"all": true}', 200),
        ("POST", "/drop", '{"connection": "c999999"}', 200),
        ("POST", "/faults", '{"kind": "silence"}', 400),
        ("POST", "/faults", '{"kind": "nothing", "all": true}', 400),
        ("POST", "/faults", '{"kind": "silence", "all": true, "seconds": -1}', 400),
        ("POST", "/faults", '{"kind": "silence", "all": true, "seconds": NaN}', 400),
        ("POST", "/faults", '{"kind": "silence", "all": true, "count": 0}', 400),
        ("POST", "/faults", '{"kind": "silence", "all": true, "count": true}', 400),
        ("POST", "/faults", '{"kind": "delay", "all": true, "params": {"ms": "x"}}', 400),
        ("POST", "/faults", '{"kind": "refuse", "number": "5511987654321"}', 400),
        ("POST", "/faults", '{"kind": "slow_handshake", "number": "5511987654321"}', 400),
        ("POST", "/faults", '{"kind": "cut_login", "connection": "c1"}', 400),
        ("POST", "/faults", '{"kind": "mute_login", "connection": "c1"}', 400),
        (
            "POST",
            "/faults",
            '{"kind": "failure", "number": "5511987654321", "params": {"pairing": 1}}',
            400,
        ),
        ("POST", "/faults", '{"kind": "media_error", "number": "5511987654321"}', 400),
        ("POST", "/faults", '{"kind": "stream_error", "all": true, "params": {"ms": 1}}', 400),
        ("POST", "/faults", '{"kind": "stream_error", "all": true, "params": {"code": "1"}}', 400),
        ("POST", "/faults", '{"kind": "notification", "all": true, "params": {"type": 1}}', 400),
        ("POST", "/faults", '{"kind": "notification", "all": true, "params": {"type": "x"}}', 200),
        ("DELETE", "/faults", '{"id": "f0"}', 200),
        ("POST", "/settings", '{"refs": 0}', 400),
        ("POST", "/settings", '{"refs": 6}', 200),
    ],
)
def test_call_returns_the_status(
    simulator: Simulator, method: str, path: str, body: str, status: int
) -> None:
    assert call(simulator, method, path, body) == status


def test_requests_from_web_pages_get_403(simulator: Simulator) -> None:
    for headers in ({"Host": "evil.example:80"}, {"Origin": "https://evil.example"}):
        assert call(simulator, "GET", "/stats", headers=headers) == 403
    assert call(simulator, "POST", "/scan", headers={"Content-Length": "9999999"}) == 413


def test_faults_are_listed(simulator: Simulator) -> None:
    fault = simulator.control.arm("delay", number="5511987654321", seconds=60, count=3, ms=5)
    (listed,) = simulator.control.faults()
    assert 59 < listed.pop("seconds") <= 60
    assert listed == {
        "id": fault,
        "kind": "delay",
        "scope": {"number": "5511987654321"},
        "count": 3,
        "params": {"ms": 5},
    }
    assert (simulator.control.clear_faults(fault), simulator.control.faults()) == (1, [])


def test_state_is_private_and_ports_are_kept(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with start(state) as first:
        assert state.stat().st_mode & 0o777 == 0o700
        assert {f.name: f.stat().st_mode & 0o777 for f in state.iterdir()} == {
            f.name: 0o700 if f.is_dir() else 0o600 for f in state.iterdir()
        }
        with pytest.raises(SimulatorError, match="another simulator"):
            start(state)
    with start(state) as second:
        assert (second.proxy_url, second.control_url) == (first.proxy_url, first.control_url)
        began = time.monotonic()
        second.process.send_signal(signal.SIGTERM)
        assert second.process.wait(5) == 0
        assert time.monotonic() - began < 2


def test_simulator_stops_when_its_parent_ends(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    simulator = start(tmp_path, parent_pid=parent.pid)
    parent.kill()  # not waited for: a zombie counts as ended
    assert simulator.process.wait(5) == 0
    parent.communicate()


def test_trust_without_neonize_is_refused() -> None:
    with pytest.raises(TrustError, match="not loaded"):
        trust_simulator(bytes(32))
    with pytest.raises(ValueError, match="32 bytes"):
        trust_simulator(b"short")


def test_package_never_imports_neonize() -> None:
    code = (
        "import sys, pkgutil, importlib, simulator\n"
        "for m in pkgutil.walk_packages(simulator.__path__, 'simulator.'):\n"
        "    if '.tests' not in m.name and not m.name.endswith('__main__'):\n"
        "        importlib.import_module(m.name)\n"
        "assert not {'neonize', 'django'} & set(sys.modules)\n"
    )
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root, env=os.environ, timeout=20)


@pytest.mark.parametrize(
    "stanza",
    [
        "x",
        {},
        {"tag": "receipt", "attrs": []},
        {"tag": "receipt", "children": {}},
        {"tag": "receipt", "children": ["x"]},
        {"tag": "receipt", "data": "!"},
        {"tag": "receipt", "other": 1},
    ],
)
def test_wrong_stanza_is_refused(simulator: Simulator, stanza: object) -> None:
    person = simulator.control.save_person()["number"]
    body = json.dumps({"to": person, "stanza": stanza})
    assert call(simulator, "POST", f"/people/{person}/stanza", body) == 400
