"""Everything that goes wrong, as one table."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from simulator.client import ControlError
from tests.chaos.accounts import Account
from tests.chaos.injector import Injector, Row
from tests.chaos.log import NOT_YET
from tests.support import host_processes
from tests.support.faults import databases, processes


def at_once(kind: str, injector: Injector) -> None:
    """A fault of the simulator that bites now."""
    victims = injector.victims()
    injector.log.add(kind, _ids(victims))
    for account in victims:
        account.note(f"fault: {kind}")
        injector.arm(kind, account)


def no_way(kind: str, injector: Injector) -> None:
    """No one can reach WhatsApp, just as some must."""
    victims, seconds = injector.victims(), injector.seconds()
    injector.arm(kind, seconds=seconds)
    injector.log.add(kind, lasts=seconds)
    injector.drop(victims)


def quiet(kind: str, injector: Injector, longest: float = 8) -> None:
    """The server is there and does not answer for a while."""
    seconds = injector.seconds(3, longest)
    victims = injector.victims()
    injector.log.add(kind, _ids(victims), seconds)
    for account in victims:
        account.note(f"fault: {kind} for {seconds:.0f} s")
        injector.arm(kind, account, seconds=seconds)


def at_login(kind: str, injector: Injector, reason: int = 0) -> None:
    """The next logins fail in some way that keeps the credentials good."""
    seconds, victims = injector.seconds(), injector.victims()
    name = f"{kind} {reason}" if reason else kind
    injector.log.add(name, _ids(victims), seconds)
    for account in victims:
        account.note(f"fault: {name} for {seconds:.0f} s")
        count = injector.chance.randint(1, 3)
        params = {"reason": reason} if reason else {}
        injector.arm(kind, account, seconds=seconds, count=count, **params)
    injector.drop(victims)


def flapping(injector: Injector) -> None:
    """WhatsApp lets logins in and drops them again, for as long as it lasts."""
    seconds, victims = injector.seconds(4, 12), injector.victims()
    how, ms = injector.chance.choice((0, 1, 500, 503)), injector.chance.choice((0, 100, 2000))
    injector.log.add(f"dropped {ms} ms after each login ({how})", _ids(victims), seconds)
    for account in victims:
        account.note(f"fault: dropped after each login for {seconds:.0f} s")
        injector.arm("drop_after_login", account, seconds=seconds, how=how, ms=ms)
    injector.drop(victims)


def ban(injector: Injector) -> None:
    """WhatsApp bans a number for some seconds, and says so once."""
    expire, victims = injector.chance.randint(3, 8), injector.victims()
    injector.log.add("temporary ban", _ids(victims), expire)
    for account in victims:
        account.note(f"fault: banned for {expire} s")
        injector.arm("failure", account, count=1, seconds=2, reason=402, code=101, expire=expire)
    injector.drop(victims)


def outdated(injector: Injector, pairing: int = 0) -> None:
    """WhatsApp accepts no client of this version for a while."""
    seconds, victims = injector.seconds(), injector.victims()
    injector.arm("failure", seconds=seconds, reason=405, pairing=pairing)
    injector.log.add("405, pairings too" if pairing else "405", lasts=seconds)
    injector.drop(victims)


def forgotten(reason: int, injector: Injector) -> None:
    """WhatsApp says that it does not know a device any more."""
    (account,) = injector.chance.sample(injector.accounts, 1)
    injector.log.add(f"failure {reason}", _ids([account]), 2)
    account.excuse(f"fault: failure {reason}", known_at_whatsapp=True, lasts=3)
    injector.arm("failure", account, count=1, seconds=2, reason=reason)
    injector.drop([account])


def unlink(injector: Injector) -> None:
    """A phone unlinks its devices."""
    (account,) = injector.chance.sample(injector.accounts, 1)
    injector.log.add("unlinked by the phone", _ids([account]))
    account.excuse("fault: the phone unlinks it")
    with suppress(ControlError):  # It has none.
        injector.product.simulator.unlink(number=account.phone)


def taken_over(injector: Injector) -> None:
    """Another program takes the connection over; a person has to reconnect."""
    (account,) = injector.chance.sample(injector.accounts, 1)
    injector.log.add("replaced", _ids([account]))
    account.allowed.add("taken_over")
    account.note("fault: replaced")
    injector.arm("replaced", account)


def kill_host(injector: Injector) -> None:
    """kill -9 of a host process: of sessions, of a pairing, or a spare one."""
    for host in _some_host(injector):
        injector.log.add("host killed")
        processes.kill(host)


def stop_host(injector: Injector) -> None:
    """A host process stands still for some seconds."""
    seconds = injector.seconds(2, 7)

    def stop(host: int) -> None:
        injected = injector.log.add("host stopped", lasts=NOT_YET)
        injector.watcher.stopping_hosts += 1
        with processes.stopped(host):
            time.sleep(seconds)
        injector.watcher.stopping_hosts -= 1
        injected.end = time.monotonic()

    for host in _some_host(injector):
        injector.in_background(partial(stop, host))


def starve_host(injector: Injector) -> None:
    """A host process gets no memory any more."""

    def use() -> None:
        with suppress(ControlError):
            injector.product.simulator.drop()

    def starve(host: int) -> None:
        fault = injector.log.add("host out of memory", lasts=NOT_YET)
        processes.out_of_memory(host, use, 5)
        fault.end = time.monotonic()

    for host in _some_host(injector):
        injector.in_background(partial(starve, host))


def kill_fork_server(injector: Injector) -> None:
    """kill -9 of the process that forks the hosts."""
    injector.log.add("fork server killed")
    with suppress(AssertionError):  # There is none at the moment.
        processes.kill(host_processes.fork_server(injector.product.application))


def kill_product(injector: Injector) -> None:
    """kill -9 of web and supervisor, and a start."""
    _restart(injector, "product killed", injector.product.kill)


def restart_product(injector: Injector) -> None:
    """A clean stop, and a start."""
    _restart(injector, "product restarted", injector.product.stop)


def _restart(injector: Injector, name: str, end: Callable[[], None]) -> None:
    injector.settle()
    fault = injector.log.add(name, lasts=NOT_YET)
    for account in injector.accounts:
        account.note(f"fault: {name}")
    end()
    injector.log.cut()
    injector.product.start()
    fault.end = time.monotonic()


def lock_database(injector: Injector) -> None:
    """Someone else holds the database's write lock."""
    fault = databases.locked(injector.product.application)
    injector.last(fault, injector.seconds())


def take_database_away(injector: Injector) -> None:
    """No one can read the database either."""
    fault = databases.away(injector.product.application)
    injector.last(fault, injector.seconds(1, 4))


def _some_host(injector: Injector) -> list[int]:
    hosts = sorted(host_processes.host_processes(injector.product.application))
    return injector.chance.sample(hosts, min(1, len(hosts)))


def _ids(accounts: list[Account]) -> frozenset[int]:
    return frozenset(account.id for account in accounts)


TABLE = [
    *(Row(kind, partial(at_once, kind), 2) for kind in ("drop", "websocket_close")),
    *(Row(kind, partial(at_once, kind)) for kind in ("stream_503", "stream_515", "stream_error")),
    *(
        Row(kind, partial(no_way, kind))
        for kind in ("refuse", "refuse_tcp", "http_503", "no_server_hello", "slow_handshake")
    ),
    Row("silence", partial(quiet, "silence")),
    Row("no_pong", partial(quiet, "no_pong", longest=45)),
    Row("no_logout_answer", partial(quiet, "no_logout_answer")),
    *(Row(kind, partial(at_login, kind)) for kind in ("cut_login", "mute_login")),
    Row("drop_after_login", flapping, 2),
    *(
        Row(f"failure {reason}", partial(at_login, "failure", reason=reason))
        for reason in (500, 503, 599)
    ),
    Row("temporary ban", ban),
    Row("405", outdated),
    Row("405, pairings too", partial(outdated, pairing=1)),
    *(Row(f"failure {reason}", partial(forgotten, reason)) for reason in (401, 403, 406)),
    Row("unlinked by the phone", unlink, 2),
    Row("replaced", taken_over),
    Row("host killed", kill_host, 2),
    Row("host stopped", stop_host, 2),
    Row("host out of memory", starve_host),
    Row("fork server killed", kill_fork_server),
    Row("product killed", kill_product),
    Row("product restarted", restart_product),
    Row("database locked", lock_database),
    Row("database away", take_database_away),
]
