"""What `manage.py whatsapp` answers, with a worker that does what the test says."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from contextlib import nullcontext, redirect_stdout
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from connections import actions
from connections.actions import Fence
from connections.models import Connection, ConnectionEvent, PairingAttempt
from connections.tests.support.fake_worker import CODE_LASTS, FakeWorker
from messaging.models import Message, MessagingSettings
from messaging.tests.support.rows import make_message
from organizations.access import COMMAND_LINE
from organizations.actions import set_active
from organizations.models import Organization
from tests.support import qr_reading
from tests.support.terminal_picture import picture
from whatsapp_orgs.terminal import waiting
from whatsapp_orgs.terminal.outcomes import Exit
from whatsapp_orgs.terminal.screen import ENTER, LEAVE

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_only]

Steps = Callable[..., None]


class Terminal(io.StringIO):
    """A window of 80 by 24 characters, which remembers all that was written."""

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        raise OSError("no file")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    found = Terminal()
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return found


@pytest.fixture
def bakery(db: None) -> Connection:
    return Connection.objects.of(Organization.objects.create(name="Padaria São João"))


@pytest.fixture
def worker(db: None) -> FakeWorker:
    return FakeWorker()


@pytest.fixture
def while_waiting(monkeypatch: pytest.MonkeyPatch) -> Steps:
    """Let these steps happen one by one, each time that the command would wait."""

    def use(*steps: Callable[[], object]) -> None:
        left = iter(steps)

        def pause() -> None:
            step = next(left, None)
            assert step is not None, "it waits for more than the test expects"
            step()

        monkeypatch.setattr(waiting, "pause", pause)

    return use


def run(*arguments: str, window: Terminal | None = None) -> int:
    """Run the command, in a window if there is one. Return its exit code."""
    try:
        with redirect_stdout(window) if window else nullcontext():
            call_command("whatsapp", *arguments)
    except SystemExit as end:
        assert isinstance(end.code, int)
        return end.code
    return Exit.DONE


def code_of(screen: str) -> str:
    """Return the text of the QR code on a screen."""
    drawn = screen.rpartition("\x1b[2J")[2]
    return qr_reading.read(picture(drawn))


def test_codes_are_drawn_until_the_phone_is_linked(
    bakery: Connection, worker: FakeWorker, while_waiting: Steps, terminal: Terminal
) -> None:
    seen: list[str] = []
    fence: list[tuple[Fence, PairingAttempt]] = []

    def rotate() -> None:
        seen.append(code_of(terminal.getvalue()))
        held, attempt = fence[0]
        actions.show_code(held, attempt.pk, "second", 2, 6, CODE_LASTS)

    def link() -> None:
        seen.append(code_of(terminal.getvalue()))
        held, attempt = fence[0]
        actions.accept_code(held, attempt.pk)
        actions.link(held, attempt, "5511987654321")

    while_waiting(lambda: fence.append(worker.show_code(bakery, "first")), rotate, link)
    assert run("reconnect", "PADARIA sao joão", window=terminal) == Exit.DONE
    assert seen == ["first", "second"]
    written = terminal.getvalue()
    # Nothing to scroll back to: what is left is the sentence.
    assert (written.count(ENTER), written.count(LEAVE)) == (1, 1)
    assert "is connected" in written.rpartition(LEAVE)[2]
    assert "Code 2 of 6" in written
    assert ConnectionEvent.objects.get(observation="reconnect_requested").actor == "terminal"


def test_ctrl_c_cancels_only_what_the_command_began(
    bakery: Connection,
    worker: FakeWorker,
    while_waiting: Steps,
    terminal: Terminal,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def press() -> None:
        raise KeyboardInterrupt

    while_waiting(lambda: worker.show_code(bakery), press)
    assert run("reconnect", str(bakery.pk), window=terminal) == 130
    bakery.refresh_from_db()
    assert (bakery.state, bakery.reason) == ("disconnected", "pairing_cancelled")
    assert capfd.readouterr().err.endswith("The pairing was cancelled.\n")

    actions.request_reconnect(bakery.pk, COMMAND_LINE)
    worker.show_code(bakery)
    while_waiting(press)
    assert run("reconnect", str(bakery.pk), window=terminal) == 130
    bakery.refresh_from_db()
    assert bakery.state == "awaiting_scan"
    assert capfd.readouterr().err.endswith("Someone else began this pairing, so it goes on.\n")


def test_code_is_not_printed_where_no_terminal_shows_it(
    bakery: Connection,
    worker: FakeWorker,
    while_waiting: Steps,
    capfd: pytest.CaptureFixture[str],
) -> None:
    while_waiting(lambda: worker.show_code(bakery))
    assert run("reconnect", str(bakery.pk)) == Exit.BAD_USAGE
    printed = capfd.readouterr()
    assert "--json" in printed.err and "█" not in printed.out + printed.err
    bakery.refresh_from_db()
    assert bakery.reason == "pairing_cancelled"


def test_no_color_draws_without_escapes_for_colours(
    bakery: Connection,
    worker: FakeWorker,
    while_waiting: Steps,
    terminal: Terminal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    def look() -> None:
        assert code_of(terminal.getvalue()) == "plain"
        assert "\x1b[38" not in terminal.getvalue()
        raise KeyboardInterrupt

    while_waiting(lambda: worker.show_code(bakery, "plain"), look)
    assert run("reconnect", str(bakery.pk), window=terminal) == 130


def test_timeout_ends_the_pairing(
    bakery: Connection,
    worker: FakeWorker,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert run("pairing-code", str(bakery.pk), "+55 11 98765-4321", "--timeout", "0", "--json") == 7
    *progress, end = map(json.loads, capfd.readouterr().out.splitlines())
    assert [line["state"] for line in progress] == ["connecting"]
    assert (end["success"], end["code"]) == (False, "timed_out")
    bakery.refresh_from_db()
    assert bakery.reason == "pairing_cancelled"


def test_refusals_have_the_codes_of_the_api(
    bakery: Connection, capfd: pytest.CaptureFixture[str]
) -> None:
    def refused(*arguments: str) -> tuple[int, str]:
        exit_code = run(*arguments, "--json")
        body = json.loads(capfd.readouterr().out.splitlines()[-1])
        assert body.keys() == {"success", "code", "message"} and body["success"] is False
        return exit_code, body["code"]

    pk = str(bakery.pk)
    number = "+5511987654321"
    assert refused("reconnect", pk) == (Exit.NO_WORKER, "worker_offline")
    assert not ConnectionEvent.objects.exists()
    hand = FakeWorker()
    assert refused("pairing-code", pk, "12") == (Exit.BAD_USAGE, "invalid")
    assert refused("send", pk, "12", "hi") == (Exit.BAD_USAGE, "invalid")
    assert refused("send", pk, number, "hi", "--wait", "--timeout", "0") == (
        Exit.TIMED_OUT,
        "not_linked",
    )
    actions.request_reconnect(bakery.pk, COMMAND_LINE)
    hand.link(bakery)
    assert refused("reconnect", pk) == (Exit.REFUSED, "already_connected")
    assert refused("disconnect", pk, "--timeout", "0") == (Exit.TIMED_OUT, "timed_out")
    MessagingSettings.objects.update_or_create(
        organization_id=bakery.pk, defaults={"sending_stopped_at": timezone.now()}
    )
    assert refused("send", pk, number, "hi") == (Exit.REFUSED, "sending_stopped")
    set_active(bakery.organization, False, COMMAND_LINE)
    assert refused("reconnect", pk) == (Exit.REFUSED, "organization_inactive")
    with pytest.raises(CommandError):
        run("reconnect", pk, "--timeout", "soon")


def test_status_says_by_its_exit_code_whether_it_is_connected(
    bakery: Connection, capfd: pytest.CaptureFixture[str]
) -> None:
    pk = str(bakery.pk)
    assert run("status", pk) == Exit.NOT_CONNECTED
    assert "Padaria São João" in capfd.readouterr().out
    hand = FakeWorker()
    actions.request_reconnect(bakery.pk, COMMAND_LINE)
    hand.link(bakery)
    assert run("status", pk, "--json") == Exit.DONE
    body = json.loads(capfd.readouterr().out)
    assert (body["organization"], body["state"], body["number"]) == (
        bakery.pk,
        "connected",
        "5511987654321",
    )
    hand.die()
    assert run("status", pk) == Exit.NO_WORKER


def test_organization_is_found_by_a_part_of_its_name_unless_that_is_risky(
    bakery: Connection, capfd: pytest.CaptureFixture[str]
) -> None:
    def ended(*arguments: str) -> tuple[int, str]:
        exit_code = run(*arguments)
        return exit_code, capfd.readouterr().err

    other = Organization.objects.create(name="Padaria Estrela")
    assert ended("status", "JOAO")[0] == Exit.NOT_CONNECTED
    exit_code, said = ended("status", "padaria")
    assert exit_code == Exit.AMBIGUOUS_ORGANIZATION
    assert f"{other.pk}  Padaria Estrela" in said and f"{bakery.pk}  Padaria São João" in said
    assert ended("status", "Mercado")[0] == Exit.UNKNOWN_ORGANIZATION
    assert ended("status", " ")[0] == Exit.UNKNOWN_ORGANIZATION
    assert ended("disconnect", "joao")[0] == Exit.AMBIGUOUS_ORGANIZATION
    assert ended("disconnect", "padaria são joão", "--timeout", "0")[0] == Exit.NO_WORKER
    Organization.objects.create(name="PADARIA ESTRELA")
    assert ended("status", "Padaria Estrela")[0] == Exit.AMBIGUOUS_ORGANIZATION


def test_send_says_what_became_of_the_message(
    bakery: Connection,
    worker: FakeWorker,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def ends_as(state: str, reason: str = "") -> tuple[int, dict[str, Any]]:
        def pause() -> None:
            Message.objects.filter(state="queued").update(state=state, reason=reason)

        monkeypatch.setattr(waiting, "pause", pause)
        exit_code = run("send", str(bakery.pk), "+5511987654321", "a secret", "--wait", "--json")
        printed = capfd.readouterr()
        assert "secret" not in printed.out + printed.err
        return exit_code, json.loads(printed.out.splitlines()[-1])

    assert ends_as("sent")[0] == Exit.DONE
    exit_code, body = ends_as("failed", "not_on_whatsapp")
    assert (exit_code, body["code"]) == (Exit.NOT_SENT, "not_on_whatsapp")
    exit_code, body = ends_as("unknown", "timed_out")
    assert (exit_code, body["code"]) == (Exit.MAYBE_SENT, "timed_out")
    assert set(Message.objects.values_list("actor", flat=True)) == {"terminal"}
    assert run("send", str(bakery.pk), "+5511987654321", "later") == Exit.DONE
    # A number that no plan of numbers has, of somebody who is known here.
    make_message(bakery.organization, number="15550783881")
    assert run("send", str(bakery.pk), "+15550783881", "hi") == Exit.DONE

    def press() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(waiting, "pause", press)
    assert run("send", str(bakery.pk), "+5511987654321", "never", "--wait") == 130
    assert capfd.readouterr().err.endswith("The message was cancelled before it was sent.\n")
    assert Message.objects.latest("pk").state == "cancelled"
