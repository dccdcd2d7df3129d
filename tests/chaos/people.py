"""People who press buttons and scan codes, some of them at random."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass
from functools import partial

from simulator.client import ControlError
from tests.chaos.accounts import CONNECTED, DISCONNECTED, Account
from tests.chaos.product import NoAnswer, Product
from tests.support.application import Answer
from tests.support.linking import decode

# Of a request for a connection, these mean that it changed nothing.
REFUSED = ("temporarily_banned", "too_many_requests", "organization_inactive")
UNKNOWN_OR_USED = (400, 404, 410)


@dataclass
class Person:
    """What one person can do to one organization. Holds `account.acting` meanwhile."""

    product: Product
    account: Account

    def reconnect(self) -> None:
        """Press Reconnect."""
        answer, _ = self.product.ask("POST", self.account.id, "reconnect")
        self._told("reconnect", answer)
        if answer.body.get("code") not in REFUSED:
            self.account.desired = CONNECTED

    def disconnect(self) -> None:
        """Press Disconnect."""
        self.account.leave("a person disconnects it")
        answer, _ = self.product.ask("DELETE", self.account.id, "disconnect")
        self._told("disconnect", answer)
        self.account.desired = DISCONNECTED

    def cancel(self) -> None:
        """Press Cancel, which counts only while a code is prepared, shown or being finished."""
        jid, excuses = self.account.jid, self.account.excuses
        answer, tries = self.product.ask("POST", self.account.id, "cancel")
        self._told("cancel", answer)
        cancelled = answer.body.get("message") == "The pairing was cancelled."
        if not cancelled and tries > 1:
            # An earlier try, whose answer was lost, may have done it.
            cancelled = self.product.status(self.account.id)["desired"] == DISCONNECTED
        if cancelled:
            self.account.desired = DISCONNECTED
            if jid and self.account.excuses == excuses:
                self.account.leave("a person cancelled it after its scan")

    def scan(self) -> None:
        """Scan the code that is shown, if one is."""
        code = self._code()
        if code in ("", self.account.scanned):
            return  # That phone has accepted it; the product has not heard of it yet.
        if self.account.jid:
            self.product.findings.add(
                f"it shows a code, though it is linked as {self.account.jid} and nothing has "
                "unlinked it",
                self.account,
            )
            self.account.excuse("(told as a violation)", known_at_whatsapp=True)
        self._hold_phone_to(code)
        self.account.old_code = code

    def scan_an_old_code(self) -> None:
        """Scan a code of some time ago. WhatsApp refuses it, unless its pairing still runs."""
        if self.account.old_code not in ("", self.account.scanned):
            self._hold_phone_to(self.account.old_code)

    def _hold_phone_to(self, code: str) -> None:
        excuses = self.account.excuses
        try:
            linked = self.product.simulator.scan(code, number=self.account.phone)
        except ControlError as error:
            self.account.note(f"the scan failed: {error}")
            if error.status not in UNKNOWN_OR_USED:
                self.account.uncertain = True
        else:
            self.account.linked(linked.jid, excuses)
            self.account.scanned = code

    def remember_code(self) -> None:
        """Take a picture of the code, to scan it when it is too late."""
        self.account.old_code = self._code() or self.account.old_code

    def _code(self) -> str:
        answer, _ = self.product.ask("GET", self.account.id, "qrcode")
        return decode(answer) if answer.status == 200 else ""

    def _told(self, what: str, answer: Answer) -> None:
        said = answer.body.get("code") or answer.body.get("message")
        self.account.note(f"a person asked: {what}; told: {answer.status} {said}")


def tend(product: Product, account: Account) -> None:
    """What a person does who wants the organization to be as it should: as the product says."""
    with account.acting:
        state = product.status(account.id)["state"]
        person = Person(product, account)
        if account.desired == DISCONNECTED:
            if state == "action_needed":
                person.disconnect()
        elif state == "awaiting_scan":
            person.scan()
        elif state in ("action_needed", "disconnected"):
            person.reconnect()


class Crowd(threading.Thread):
    """One of several threads of people, each of whom comes by an organization at random."""

    def __init__(self, product: Product, accounts: list[Account], chance: random.Random) -> None:
        super().__init__(daemon=True)
        self.over = threading.Event()
        self._product, self._accounts, self._chance = product, accounts, chance

    def run(self) -> None:
        while not self.over.wait(self._chance.uniform(0.05, 0.4)):
            account = self._chance.choice(self._accounts)
            if not account.acting.acquire(blocking=False):
                continue
            try:
                self._come_by(account)
            except NoAnswer as error:
                self._product.findings.add(str(error), notes=self._product.log_end())
            except Exception as error:
                self._product.findings.add(f"the driver broke: {type(error).__name__}: {error}")
            finally:
                account.acting.release()

    def _come_by(self, account: Account) -> None:
        state = self._product.status(account.id)["state"]
        person = Person(self._product, account)
        nothing = partial(account.note, "a person looked")
        acts, weights = {
            "connected": (
                (person.disconnect, person.reconnect, person.cancel, nothing),
                (5, 5, 3, 87),
            ),
            "awaiting_scan": (
                (
                    person.scan,
                    person.cancel,
                    person.disconnect,
                    person.reconnect,
                    person.scan_an_old_code,
                    person.remember_code,
                ),
                (60, 8, 8, 8, 8, 8),
            ),
            "action_needed": ((person.reconnect, person.disconnect, nothing), (75, 5, 20)),
            "disconnected": ((person.reconnect, person.scan_an_old_code, nothing), (60, 10, 30)),
        }.get(
            state,
            ((person.reconnect, person.disconnect, person.cancel, nothing), (10, 3, 4, 83)),
        )
        self._chance.choices(acts, weights)[0]()
