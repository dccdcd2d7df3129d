"""The pinned neonize is what the product relies on; a version that is not is told in words."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from connections.worker.child import library_contract as contract
from tests.support.managed_process import ROOT
from tests.upgrade import __main__ as trial
from tests.upgrade import behaviour
from tests.upgrade.difference import Difference, changed_signature

INSPECTION = """
import dataclasses, json
from connections.worker.child import library_contract as contract
from tests.upgrade import inspection

pinned = inspection.differences()
send = contract.FUNCTIONS["SendMessage"]
contract.FUNCTIONS |= {"SendMessage": dataclasses.replace(send, kind=contract.LogCallback)}
contract.FUNCTIONS |= {"Levitate": dataclasses.replace(send, use="levitate")}
contract.EVENT_NAMES |= {99: "Receipt", 98: "Earthquake"}
contract.HISTORY_FIELDS |= {"Conversation.ID": 7, "MessageKey.planet": 5}
contract.FIELDS[contract.NEONIZE] |= {"JID": "User Planet", "Spell": "text"}
contract.ERROR_TEXTS += (contract.Text("abracadabra", "a rabbit is in the hat"),)
contract.TABLES |= {"whatsmeow_device": "jid moon"}
contract.RECEIPT_TYPE_FIELD = b"hocus pocus"
print(json.dumps([[found.what for found in each] for each in (pinned, inspection.differences())]))
"""


def test_inspection_accepts_the_pinned_version_and_names_each_difference() -> None:
    """In a process of its own: one that has loaded the library must not fork."""
    done = subprocess.run(
        [sys.executable, "-c", INSPECTION],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    pinned, changed = json.loads(done.stdout.splitlines()[-1])
    assert pinned == []
    assert {each.partition(":")[0] for each in changed} == {
        "JID has no Planet (neonize.proto.Neonize_pb2)",
        "the function SendMessage has changed",
        "a new store's table whatsmeow_device has no moon",
        "the description of a receipt's type stands 0 times in the library, not once",
        "the event Earthquake is gone, not 98",
        "the field Conversation.ID has the number 1, not 7",
        "the field MessageKey.planet is gone, not 5",
        "the event Receipt has the number 18, not 99",
        "the library has no function Levitate",
        "the text 'abracadabra' is gone or reads otherwise",
        "there is no Spell (neonize.proto.Neonize_pb2)",
    }


def test_contract_has_nothing_that_the_code_does_not_use() -> None:
    folders = [ROOT / "connections/worker", ROOT / "connections/stores"]
    files = [path for folder in folders for path in folder.rglob("*.py")]
    code = "".join(
        path.read_text().replace("\\", "") for path in files if path.name != "library_contract.py"
    )
    fields = {
        field
        for messages in contract.FIELDS.values()
        for names in messages.values()
        for field in names.split()
    }
    columns = {name for names in contract.TABLES.values() for name in names.split()}
    words = {*fields, *columns, *contract.TABLES}
    assert [word for word in words if not re.search(rf"\b{word}\b", code)] == []
    texts = [text.text for text in contract.ERROR_TEXTS + contract.LOG_TEXTS]
    assert [text for text in texts if not any(sign in code for sign in signs(text))] == []


def signs(text: str) -> list[str]:
    """Return what the code may recognize a text by: a part, two of its words, or a telling one."""
    parts = [part.strip(" (),:") for part in re.split(r"%\w|: ", text)]
    words = [part.split() for part in parts]
    pairs = [" ".join(each[at : at + 2]) for each in words for at in range(len(each) - 1)]
    telling = [word for each in words for word in each if len(word) > 8 or word == "HMAC"]
    return [pair for pair in pairs if len(pair) > 7] + telling + [part for part in parts if part]


def test_trial_runs_tests_that_exist() -> None:
    for each in behaviour.BEHAVIOURS:
        for test in each.tests.split():
            file, _, name = test.partition("::")
            assert f"def {name}" in (ROOT / file).read_text()


def test_failed_test_is_told_as_a_behaviour() -> None:
    report = (
        '<testsuite><testcase classname="connections.tests.hosts.test_sending" name="test_a_b[x]">'
        '<failure message="AssertionError: it is gone&#10;more"/></testcase>'
        '<testcase classname="connections.tests.hosts.test_calls" name="test_c"/></testsuite>'
    )
    (found,) = behaviour.differences(list(ElementTree.fromstring(report).iter("testcase")))
    assert found.what.splitlines() == [
        "linking by a QR code, and sending texts",
        "      not so: a b (it is gone)",
    ]


def test_changed_signature_is_told_by_its_arguments() -> None:
    ours = ["text", "int", "bool"]
    assert changed_signature(["text", "bytes", "bool"], ours) == "argument 1 is bytes, not int"
    assert changed_signature(["text", "bool"], ours) == "argument 1 (int) is gone"
    assert changed_signature(["data", "int", "bool"], ours) == "it returns data, not text"
    assert changed_signature([*ours, "pointer"], ours) == "argument 3 (pointer) is new"


def test_result_is_words_and_an_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trial.main("") == 2
    assert "could not be tried" in capsys.readouterr().out
    monkeypatch.setattr(trial, "differences", lambda wanted: [])
    assert trial.main("9.9.9") == 0
    assert "may be pinned" in capsys.readouterr().out
    found = [Difference("the event Receipt is gone", "received.py", "receipts are not noticed")]
    monkeypatch.setattr(trial, "differences", lambda wanted: found)
    assert trial.main("9.9.9") == 1
    told = capsys.readouterr().out
    for word in ("9.9.9", "the event Receipt is gone", "received.py", "receipts are not noticed"):
        assert word in told


def test_copy_is_pinned_to_the_version_that_the_library_names(tmp_path: Path) -> None:
    copy = tmp_path / "library_contract.py"
    copy.write_text((ROOT / trial.CONTRACT).read_text())
    trial._pin(copy, "9.9.9")
    assert copy.read_text().count('"9.9.9"') == 1
    assert contract.VERSION not in copy.read_text()
