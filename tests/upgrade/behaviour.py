"""The tests that show how neonize behaves against the simulator, in words."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tests.upgrade.difference import Difference

SECONDS, STOP_SECONDS = 420.0, 30.0
SHOWN, LONGEST = 3, 100
OPTIONS = ("-q", "-n", "2", "--dist", "loadfile", "-p", "no:cacheprovider")
HOSTS = "connections/tests/hosts"


@dataclass(frozen=True)
class Behaviour:
    """Tests of one file: `what` they show, and `where` the product relies on it.

    `tests`: the file, or some of its tests, with spaces between them.
    """

    tests: str
    what: str
    where: str
    means: str

    @property
    def file(self) -> str:
        return self.tests.partition("::")[0]


BEHAVIOURS = (
    Behaviour(
        f"{HOSTS}/test_go_library.py",
        "loading the library, and the order in which it reads its arguments",
        "connections/worker/child/go_library.py, library_lock.py",
        "host processes do not start, or calls of several clients crash them",
    ),
    Behaviour(
        f"{HOSTS}/test_host.py",
        "starting and ending clients",
        "connections/worker/child/library_client.py",
        "links are not held, or not ended",
    ),
    Behaviour(
        f"{HOSTS}/test_store_template.py",
        "creating the tables of a store",
        "connections/worker/hosts/store_template.py",
        "no phone can be linked",
    ),
    Behaviour(
        f"{HOSTS}/test_sending.py",
        "linking by a QR code, and sending texts",
        "connections/worker/child/library_calls.py",
        "messages are lost, sent twice, or their outcome is wrong",
    ),
    Behaviour(
        f"{HOSTS}/test_calls.py",
        "looking numbers up",
        "connections/worker/child/library_calls.py",
        "messages to new people are refused or misdirected",
    ),
    Behaviour(
        f"{HOSTS}/test_content_types.py",
        "all types of messages, both ways, with media",
        "connections/worker/child/sent_content.py, received_content.py",
        "messages of a type are not sent, or not understood",
    ),
    Behaviour(
        f"{HOSTS}/test_receiving.py",
        "receiving messages and receipts without losing one",
        "connections/worker/child/receiver.py, spool.py",
        "received messages are lost",
    ),
    Behaviour(
        f"{HOSTS}/test_hostile_stanzas.py",
        "stanzas that strangers make up",
        "connections/worker/child/receipt_types.py",
        "a stranger can end the links of an organization",
    ),
    Behaviour(
        "tests/lifecycle/test_pairing_code.py::test_typed_code_links_the_phone",
        "linking by a code that is typed on the phone",
        "connections/worker/child/library_messages.py",
        "phones cannot be linked by a typed code",
    ),
    Behaviour(
        "tests/lifecycle/test_reconnect.py::test_disconnect_then_status_then_reconnect_gives_a_fresh_code"
        " tests/lifecycle/test_reconnect.py::test_unlink_by_the_phone_leads_to_a_fresh_code"
        " tests/lifecycle/test_reconnect.py::test_dropped_connection_recovers_by_itself",
        "resuming a saved login, and logging out",
        "connections/worker/tasks/",
        "after an upgrade, phones would have to scan again, or cannot be unlinked",
    ),
    Behaviour(
        "tests/lifecycle/test_pairing_outcomes.py",
        "why a phone was not linked",
        "connections/worker/tasks/pairing_client.py",
        "people are told a wrong reason",
    ),
)


def run(root: Path, environment: Mapping[str, str], report: Path) -> list[Difference] | None:
    """Run the tests in a checkout. Return the differences; None if they could not be run."""
    tests = [test for behaviour in BEHAVIOURS for test in behaviour.tests.split()]
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", *OPTIONS, f"--junitxml={report}", *tests],
        cwd=root,
        env={**os.environ, **environment},
        stdout=sys.stderr,
    )
    try:
        process.wait(SECONDS)
    except subprocess.TimeoutExpired:
        # So that it stops what it has started.
        process.send_signal(signal.SIGINT)
        process.wait(STOP_SECONDS)
    if not report.exists():
        return None
    cases = list(ElementTree.parse(report).getroot().iter("testcase"))
    return differences(cases) if len(cases) >= len(tests) else None


def differences(cases: list[ElementTree.Element]) -> list[Difference]:
    """Return a difference for each behaviour of which a test has failed."""
    failed: dict[Behaviour, dict[str, None]] = {}
    for case in cases:
        problem = next((each for each in case if each.tag in ("failure", "error")), None)
        if problem is not None:
            words = str(case.get("name")).partition("[")[0].removeprefix("test_").replace("_", " ")
            told = f"not so: {words}{_reason(problem.get('message') or '')}"
            failed.setdefault(_of(case), {})[told] = None
    return [
        Difference(
            "\n      ".join([behaviour.what, *_first(list(told))]), behaviour.where, behaviour.means
        )
        for behaviour, told in failed.items()
    ]


def _first(lines: list[str]) -> list[str]:
    """Return the first lines, and how many more there are."""
    more = len(lines) - SHOWN
    return [*lines[:SHOWN], *([f"and {more} more"] if more > 0 else [])]


def _of(case: ElementTree.Element) -> Behaviour:
    """Return the behaviour that a test shows."""
    module = str(case.get("classname")).replace(".", "/") + ".py"
    return next(each for each in BEHAVIOURS if each.file == module)


def _reason(message: str) -> str:
    """Return the beginning of an error in brackets, "" for none."""
    lines = message.removeprefix('failed on setup with "').splitlines()
    text = lines[0].removeprefix("AssertionError: ")[:LONGEST].strip('" ') if lines else ""
    return f" ({text})" if text else ""
