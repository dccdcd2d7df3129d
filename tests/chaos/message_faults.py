"""The faults that concern messages."""

from __future__ import annotations

from functools import partial

from tests.chaos.accounts import CONNECTED, Account
from tests.chaos.faults import kill_host
from tests.chaos.injector import Injector, Row
from tests.chaos.users import User


def fault(kind: str, injector: Injector, **params: int) -> None:
    """Arm a fault of messages for some organizations, for a while."""
    seconds, accounts = injector.seconds(2, 6), injector.choose_accounts()
    injector.log.add(kind, frozenset(account.id for account in accounts), seconds)
    for account in accounts:
        account.log_note(f"fault: {kind} for {seconds:.0f} s")
        injector.arm(kind, account, seconds=seconds, **params)


def unreadable_sent(kind: str, injector: Injector) -> None:
    """Let recipients not read messages, which the library sends again only within its process."""
    seconds, accounts = injector.seconds(1, 3), injector.choose_accounts()
    injector.log.add(kind, frozenset(account.id for account in accounts), seconds)
    for account in accounts:
        account.has_unreadable = True
        injector.arm(kind, account, seconds=seconds)


def unreadable(injector: Injector) -> None:
    """Let single messages not be readable at first: their writers are asked to send them again."""
    accounts = injector.choose_accounts()
    injector.log.add("unreadable", frozenset(account.id for account in accounts), 3)
    for account in accounts:
        account.has_unreadable = True
        # At most two: the library asks four times for one message.
        injector.arm("unreadable", account, seconds=3, count=2)


SOON = [
    Row("ack_late", partial(fault, "ack_late", ms=700)),
    Row("cut_before_ack", partial(fault, "cut_before_ack"), 2),
    Row("cut before it arrived", partial(fault, "cut_before_ack", delivered=0)),
    *(Row(f"nack {code}", partial(fault, "nack", error=code)) for code in (463, 479)),
    Row("deliver_late", partial(fault, "deliver_late", ms=900)),
    Row("deliver_twice", partial(fault, "deliver_twice", times=3)),
    Row("deliver_reversed", partial(fault, "deliver_reversed")),
    Row("unreadable", unreadable),
    Row("receipts_lost", partial(fault, "receipts_lost")),
    Row("receipts_ignored", partial(fault, "receipts_ignored"), 2),
    Row("unreadable_sent", partial(unreadable_sent, "unreadable_sent")),
    Row("no_prekeys", partial(unreadable_sent, "no_prekeys")),
    Row("host killed", kill_host, 3),
]
"""Faults after which the library goes on at once."""

NONE = [Row("nothing", lambda _: None)]
"""No fault: nothing is killed, nothing may be unknown."""

LATER = [
    *(Row(kind, partial(fault, kind)) for kind in ("no_ack", "ack_lost", "usync_silent")),
]
"""Faults after which the library waits 75 s for an answer."""


def link_other_number(injector: Injector) -> None:
    """Let a user disconnect an organization, and link another phone."""
    (account,) = injector.rng.sample(injector.accounts, 1)
    injector.in_background(partial(_change_number, injector, account))


def _change_number(injector: Injector, account: Account) -> None:
    with account.busy:
        injector.log.add("another number", frozenset({account.id}))
        User(injector.product, account).disconnect()
        account.former_phones.append(account.phone)
        account.phone = f"55119{account.id:04d}{len(account.former_phones):04d}"
        account.desired = CONNECTED
        account.log_note(f"its phone is {account.phone} from now on")


RELINK = Row("another number", link_other_number, 2)
