"""A drill: link a fleet, take WhatsApp away and bring it back, and unlink some phones."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.drill import people
from tests.drill.expected import (
    ADMIN,
    ASLEEP,
    CLIENT,
    GROUP_WAIT,
    OWNER,
    RECOVERY_HOLD,
    SLACK,
    Moments,
    compare,
    expected_notices,
    mail_of,
)
from tests.drill.receivers import Arrived, Inbox, chat_server, mail_server
from tests.support.application import Application, until
from tests.support.faults.whatsapp import WhatsAppFault
from tests.support.linking import decode

UNLINKED = 5
AT_ONCE = 4
LINK_SECONDS = 600.0
# The longest pause before a connection tries again is five minutes.
ONLINE_SECONDS = 420.0
# After the last notice that is expected: nothing else comes.
CALM_SECONDS = 120.0
LOOK_SECONDS = 2.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Report:
    """What arrived from `moments.away` on, and what is wrong with it."""

    moments: Moments
    arrived: list[Arrived]
    problems: list[str]

    def __str__(self) -> str:
        rows = [
            (self.moments.away, "WhatsApp away"),
            (self.moments.back, "WhatsApp back"),
            (self.moments.online, "all are connected"),
            (self.moments.unlinked, f"{UNLINKED} phones unlinked"),
        ]
        rows += [(each.at, _row(each)) for each in self.arrived]
        lines = [f"{_clock(at - self.moments.away)}  {text}" for at, text in sorted(rows)]
        verdict = self.problems or [f"{len(self.arrived)} notices, exactly those expected"]
        return "\n".join([*lines, *verdict])


def run(data_dir: Path, organizations: int, away: float, say: Say) -> Report:
    """Run a drill on an empty data folder. `away`: seconds. It takes some minutes more."""
    inbox = Inbox(say)
    with mail_server(inbox) as mail_port, chat_server(inbox) as chat_port:
        settings = {
            "EMAIL_URL": f"smtp://127.0.0.1:{mail_port}",
            "SITE_URL": "https://orgs.example.com",
            "WEBHOOKS_ALLOW_PRIVATE": "true",
            "RECONNECTS_PER_ORGANIZATION": "100000",
            "RECONNECTS_PER_CALLER": "1000000",
        }
        with Application(data_dir, (), **settings) as application:
            names = [f"Fleet {number:02}" for number in range(1, organizations + 1)]
            fleet = application.new_organizations(*names)
            _add_people(application, inbox, chat_port, fleet)
            say(f"links {organizations} phones")
            numbers = _link(application, fleet)
            since = len(inbox.arrived)
            moments = _suffer(application, numbers, away, say)
            _wait(application, moments.unlinked + GROUP_WAIT + SLACK + CALM_SECONDS)
            arrived = inbox.arrived[since:]
    expected = expected_notices(names, UNLINKED, moments)
    return Report(moments, arrived, compare(expected, arrived))


def _add_people(application: Application, inbox: Inbox, chats: int, fleet: list[int]) -> None:
    """Give each of them an address, as they would do on the pages."""
    admin = people.log_in(application, "admin", application.facts["password"])
    people.add_mail(admin, inbox, mail_of(ADMIN))
    people.add_chat(admin, inbox, chats, ADMIN)
    client = people.add_member(application, CLIENT, fleet[-1])
    people.add_mail(client, inbox, mail_of(CLIENT))
    people.add_chat(people.add_member(application, OWNER, fleet[0]), inbox, chats, OWNER)
    asleep = people.add_member(application, ASLEEP, fleet[0])
    people.be_quiet(asleep)
    people.add_mail(asleep, inbox, mail_of(ASLEEP))


def _link(application: Application, fleet: list[int]) -> list[str]:
    """Link a phone with each organization. Return the numbers."""

    def link_one(organization: int) -> str:
        answer = application.api("POST", organization, "reconnect", timeout=60)
        assert answer.status == 200, answer
        number = f"5511960{organization:06}"
        application.simulator.scan(decode(answer), number=number)
        application.wait_for_state(organization, "connected", 60)
        return number

    with ThreadPoolExecutor(AT_ONCE) as pool:
        numbers = list(pool.map(link_one, fleet))
    _wait_until_online(application, numbers, LINK_SECONDS)
    return numbers


def _suffer(application: Application, numbers: list[str], away: float, say: Say) -> Moments:
    """Take WhatsApp away, bring it back, and unlink the first phones when all is calm again."""
    simulator = application.simulator
    say(f"takes WhatsApp away for {away:g} s")
    with WhatsAppFault(simulator, "refuse_tcp"):
        away_at = time.monotonic()
        simulator.drop()
        _wait(application, away_at + away)
    back_at = time.monotonic()
    say("brought WhatsApp back")
    _wait_until_online(application, numbers, ONLINE_SECONDS)
    online_at = time.monotonic()
    _wait(application, online_at + RECOVERY_HOLD + SLACK)
    say(f"unlinks {UNLINKED} phones")
    unlinked_at = time.monotonic()
    for number in numbers[:UNLINKED]:
        simulator.unlink(number=number)
    return Moments(away_at, back_at, online_at, unlinked_at)


def _wait_until_online(application: Application, numbers: list[str], seconds: float) -> None:
    """Wait until a device of each number is logged in, and all organizations are connected."""

    def all_online() -> bool:
        devices = application.simulator.devices()
        if not set(numbers) <= {device["number"] for device in devices if device["online"]}:
            return False
        totals = application.request("GET", "/api/v1/organizations?state=connected").body
        return bool(totals["count"] >= len(numbers))

    until(all_online, seconds, "all are connected", LOOK_SECONDS)


def _wait(application: Application, end: float) -> None:
    """Wait until a moment. Raises AssertionError if the product ends meanwhile."""
    assert application.process is not None
    while (left := end - time.monotonic()) > 0:
        assert application.process.poll() is None, application.log_text()[-2000:]
        time.sleep(min(left, LOOK_SECONDS))


def _row(notice: Arrived) -> str:
    return f"{notice.channel}  {notice.to:<20}  {notice.subject}"


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60:>3}:{int(seconds) % 60:02}"
