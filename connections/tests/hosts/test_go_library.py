"""Host processes load neonize's Go library alone, without neonize's binding."""

import subprocess
import sys
from pathlib import Path

import pytest


def run(script: str) -> str:
    """Run a script in its own process: a process that has loaded the library must not fork."""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_missing_library_raises(tmp_path: Path) -> None:
    script = (
        "from connections.worker.child import go_library; from pathlib import Path\n"
        f"go_library.GoLibrary(go_library.path_in(Path({str(tmp_path)!r})))"
    )
    with pytest.raises(AssertionError, match="OSError"):
        run(script)


def test_host_loads_no_binding_of_neonize_and_no_subprocess() -> None:
    script = (
        "import sys; from connections.worker.child import neonize_gateway as gateway\n"
        "gateway.preload(simulated=False); gateway.load(None)\n"
        "print(sorted({'neonize._binder', 'neonize.client', 'subprocess'} & set(sys.modules)))"
    )
    assert run(script).strip() == "[]"


READS_ARGUMENT = """
import ctypes
from connections.worker.child import go_library, library_messages, neonize_gateway
from connections.worker.child.watched_memory import WatchedMemory

neonize_gateway.preload(simulated=False)
go = go_library.GoLibrary(go_library.path_in(neonize_gateway._home))
jid = WatchedMemory(library_messages.jid("1", "lid"))
assert not jid.was_read()
answer = go.SendMessage(b"nobody", ctypes.c_char_p(jid.address), jid.size, b"", 0)
assert library_messages.parse_sent(answer)[2] == "client is nil"
print(jid.was_read())
"""


def test_library_reads_the_recipient_only_in_the_call() -> None:
    """The lock (library_lock.py) takes this for the sign that the library has read its maps."""
    assert run(READS_ARGUMENT).strip().splitlines()[-1] == "True"
