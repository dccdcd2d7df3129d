"""The table of all faults."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from simulator.client import ControlError
from tests.chaos.accounts import Account
from tests.chaos.injector import Injector, Row
from tests.chaos.log import UNTIL_ENDED
from tests.support import host_processes
from tests.support.faults import databases, processes


def immediate(kind: str, injector: Injector) -> None:
    """Inject a fault that affects connections now."""
    choose_accounts = injector.choose_accounts()
    injector.log.add(kind, _ids(choose_accounts))
    for account in choose_accounts:
        account.log_note(f"fault: {kind}")
        injector.arm(kind, account)


def unreachable(kind: str, injector: Injector) -> None:
    """Make WhatsApp unreachable, and drop some connections."""
    choose_accounts, seconds = injector.choose_accounts(), injector.seconds()
    injector.arm(kind, seconds=seconds)
    injector.log.add(kind, seconds=seconds)
    injector.drop(choose_accounts)


def unresponsive(kind: str, injector: Injector, longest: float = 8) -> None:
    """Leave requests of some connections unanswered for a while."""
    seconds = injector.seconds(3, longest)
    choose_accounts = injector.choose_accounts()
    injector.log.add(kind, _ids(choose_accounts), seconds)
    for account in choose_accounts:
        account.log_note(f"fault: {kind} for {seconds:.0f} s")
        injector.arm(kind, account, seconds=seconds)


def at_login(kind: str, injector: Injector, reason: int = 0) -> None:
    """Fail the next logins, with the credentials still valid."""
    seconds, choose_accounts = injector.seconds(), injector.choose_accounts()
    name = f"{kind} {reason}" if reason else kind
    injector.log.add(name, _ids(choose_accounts), seconds)
    for account in choose_accounts:
        account.log_note(f"fault: {name} for {seconds:.0f} s")
        count = injector.rng.randint(1, 3)
        params = {"reason": reason} if reason else {}
        injector.arm(kind, account, seconds=seconds, count=count, **params)
    injector.drop(choose_accounts)


def unstable(injector: Injector) -> None:
    """Drop connections shortly after each login."""
    seconds, choose_accounts = injector.seconds(4, 12), injector.choose_accounts()
    how, ms = injector.rng.choice((0, 1, 500, 503)), injector.rng.choice((0, 100, 2000))
    injector.log.add(f"dropped {ms} ms after each login ({how})", _ids(choose_accounts), seconds)
    for account in choose_accounts:
        account.log_note(f"fault: dropped after each login for {seconds:.0f} s")
        injector.arm("drop_after_login", account, seconds=seconds, how=how, ms=ms)
    injector.drop(choose_accounts)


def ban(injector: Injector) -> None:
    """Ban numbers for some seconds."""
    expire, choose_accounts = injector.rng.randint(3, 8), injector.choose_accounts()
    injector.log.add("temporary ban", _ids(choose_accounts), expire)
    for account in choose_accounts:
        account.log_note(f"fault: banned for {expire} s")
        injector.arm("failure", account, count=1, seconds=2, reason=402, code=101, expire=expire)
    injector.drop(choose_accounts)


def outdated(injector: Injector, pairing: int = 0) -> None:
    """Refuse this version of the client for a while."""
    seconds, choose_accounts = injector.seconds(), injector.choose_accounts()
    injector.arm("failure", seconds=seconds, reason=405, pairing=pairing)
    injector.log.add("405, pairings too" if pairing else "405", seconds=seconds)
    injector.drop(choose_accounts)


def unknown_device(reason: int, injector: Injector) -> None:
    """Refuse a login because the device is unknown."""
    (account,) = injector.rng.sample(injector.accounts, 1)
    injector.log.add(f"failure {reason}", _ids([account]), 2)
    account.allow_loss(f"fault: failure {reason}", known_at_whatsapp=True, seconds=3)
    injector.arm("failure", account, count=1, seconds=2, reason=reason)
    injector.drop([account])


def unlink(injector: Injector) -> None:
    """Unlink the devices of a phone."""
    (account,) = injector.rng.sample(injector.accounts, 1)
    injector.log.add("unlinked by the phone", _ids([account]))
    account.allow_loss("fault: the phone unlinks it")
    with suppress(ControlError):  # It has none.
        injector.product.simulator.unlink(number=account.phone)


def taken_over(injector: Injector) -> None:
    """Replace a connection by another program's; a user has to reconnect."""
    (account,) = injector.rng.sample(injector.accounts, 1)
    injector.log.add("replaced", _ids([account]))
    account.allowed_reasons.add("taken_over")
    account.log_note("fault: replaced")
    injector.arm("replaced", account)


def kill_host(injector: Injector) -> None:
    """Kill a session, pairing or idle host process."""
    for host in _some_host(injector):
        injector.log.add("host killed")
        processes.kill(host)


def stop_host(injector: Injector) -> None:
    """Stop a host process with SIGSTOP for some seconds."""
    seconds = injector.seconds(2, 7)

    def stop(host: int) -> None:
        injected = injector.log.add("host stopped", seconds=UNTIL_ENDED)
        injector.monitor.stopping_hosts += 1
        with processes.stopped(host):
            time.sleep(seconds)
        injector.monitor.stopping_hosts -= 1
        injected.end = time.monotonic()

    for host in _some_host(injector):
        injector.in_background(partial(stop, host))


def exhaust_host_memory(injector: Injector) -> None:
    """Deny a host process any further memory."""

    def use() -> None:
        with suppress(ControlError):
            injector.product.simulator.drop()

    def exhaust_memory(host: int) -> None:
        fault = injector.log.add("host out of memory", seconds=UNTIL_ENDED)
        processes.out_of_memory(host, use, 5)
        fault.end = time.monotonic()

    for host in _some_host(injector):
        injector.in_background(partial(exhaust_memory, host))


def kill_fork_server(injector: Injector) -> None:
    """Kill the fork server."""
    injector.log.add("fork server killed")
    with suppress(AssertionError):  # There is none at the moment.
        processes.kill(host_processes.fork_server(injector.product.application))


def kill_product(injector: Injector) -> None:
    """Kill the product, and start it again."""
    _restart(injector, "product killed", injector.product.kill)


def restart_product(injector: Injector) -> None:
    """Stop the product regularly, and start it again."""
    _restart(injector, "product restarted", injector.product.stop)


def _restart(injector: Injector, name: str, end: Callable[[], None]) -> None:
    injector.wait_for_background()
    fault = injector.log.add(name, seconds=UNTIL_ENDED)
    for account in injector.accounts:
        account.log_note(f"fault: {name}")
    end()
    injector.log.end_all()
    injector.product.start()
    fault.end = time.monotonic()


def lock_database(injector: Injector) -> None:
    """Hold the database's write lock."""
    fault = databases.locked(injector.product.application)
    injector.run_for(fault, injector.seconds())


def block_database(injector: Injector) -> None:
    """Block reading and writing of the database."""
    fault = databases.away(injector.product.application)
    injector.run_for(fault, injector.seconds(1, 4))


def _some_host(injector: Injector) -> list[int]:
    hosts = sorted(host_processes.host_processes(injector.product.application))
    return injector.rng.sample(hosts, min(1, len(hosts)))


def _ids(accounts: list[Account]) -> frozenset[int]:
    return frozenset(account.id for account in accounts)


TABLE = [
    *(Row(kind, partial(immediate, kind), 2) for kind in ("drop", "websocket_close")),
    *(Row(kind, partial(immediate, kind)) for kind in ("stream_503", "stream_515", "stream_error")),
    *(
        Row(kind, partial(unreachable, kind))
        for kind in ("refuse", "refuse_tcp", "http_503", "no_server_hello", "slow_handshake")
    ),
    Row("silence", partial(unresponsive, "silence")),
    Row("no_pong", partial(unresponsive, "no_pong", longest=45)),
    Row("no_logout_answer", partial(unresponsive, "no_logout_answer")),
    *(Row(kind, partial(at_login, kind)) for kind in ("cut_login", "mute_login")),
    Row("drop_after_login", unstable, 2),
    *(
        Row(f"failure {reason}", partial(at_login, "failure", reason=reason))
        for reason in (500, 503, 599)
    ),
    Row("temporary ban", ban),
    Row("405", outdated),
    Row("405, pairings too", partial(outdated, pairing=1)),
    *(Row(f"failure {reason}", partial(unknown_device, reason)) for reason in (401, 403, 406)),
    Row("unlinked by the phone", unlink, 2),
    Row("replaced", taken_over),
    Row("host killed", kill_host, 2),
    Row("host stopped", stop_host, 2),
    Row("host out of memory", exhaust_host_memory),
    Row("fork server killed", kill_fork_server),
    Row("product killed", kill_product),
    Row("product restarted", restart_product),
    Row("database locked", lock_database),
    Row("database away", block_database),
]
