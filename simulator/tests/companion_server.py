"""A process that forks companions: `python -m simulator.tests.companion_server FD`.

It imports once what neonize imports, except the Go library, which no fork may have loaded. A
companion then loads neonize as ever, and starts in a fraction of the time.

Requests come one by one: `{"fork": [ARGUMENT, …]}` with the descriptors of stdin, log and events;
the answer is the pid. `{"poll": PID}` answers with the exit code, `null` while it runs.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import json
import os
import runpy
import socket
import sys
import types
from typing import NoReturn

COMPANION = "simulator.tests.neonize_companion"
PRELOADED = (
    *("neonize.utils", "neonize.exc", "neonize.types", "neonize.proto.Neonize_pb2"),
    "neonize.proto.waCompanionReg.WAWebProtobufsCompanionReg_pb2",
    "neonize.proto.waConsumerApplication.WAConsumerApplication_pb2",
    "neonize.proto.waMsgApplication.WAMsgApplication_pb2",
    *("google.protobuf.json_format", "linkpreview", "requests", "segno", "tqdm"),
    *("concurrent.futures.process", "simulator.trust"),
)
REQUEST_BYTES = 65536


def preload() -> None:
    """Import what comes before the Go library; an empty module stands in for neonize itself."""
    spec = importlib.util.find_spec("neonize")
    assert spec is not None and spec.submodule_search_locations is not None
    package = types.ModuleType("neonize")
    package.__spec__, package.__path__ = spec, list(spec.submodule_search_locations)
    sys.modules["neonize"] = package
    for name in PRELOADED:
        importlib.import_module(name)
    assert "neonize._binder" not in sys.modules, "the Go library is loaded before the fork"
    del sys.modules["neonize"]


def become_companion(arguments: list[str], stdin: int, log: int, events: int) -> NoReturn:
    """Run a companion with these descriptors in this process; never returns."""
    try:
        for stream, descriptor in enumerate((stdin, log, log)):
            os.dup2(descriptor, stream)
        os.close(stdin)
        os.close(log)
        sys.argv[1:] = [*arguments, str(events)]
        runpy.run_module(COMPANION, run_name="__main__", alter_sys=True)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(1)


def main(control: socket.socket) -> None:
    """Answer requests until the test process has ended."""
    preload()
    gc.collect()
    gc.freeze()
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, REQUEST_BYTES, 3)
        if not message:
            return
        request = json.loads(message)
        answer: int | None
        if "fork" in request:
            answer = os.fork()
            if answer == 0:
                control.close()
                become_companion(request["fork"], *descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
        else:
            pid, status = os.waitpid(request["poll"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        control.send(json.dumps(answer).encode())


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
