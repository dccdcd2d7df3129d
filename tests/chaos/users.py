"""Simulated users who press buttons and scan codes."""

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

# Error codes of reconnects that changed nothing.
REFUSED = ("temporarily_banned", "too_many_requests", "organization_inactive")
UNKNOWN_OR_USED = (400, 404, 410)


@dataclass
class User:
    """The actions of a user on an organization. The caller holds `account.busy`."""

    product: Product
    account: Account

    def reconnect(self) -> None:
        """Press Reconnect."""
        answer, _ = self.product.request("POST", self.account.id, "reconnect")
        self._log_answer("reconnect", answer)
        if answer.body.get("code") not in REFUSED:
            self.account.desired = CONNECTED

    def disconnect(self) -> None:
        """Press Disconnect."""
        self.account.expect_disconnect("a person disconnects it")
        answer, _ = self.product.request("DELETE", self.account.id, "disconnect")
        self._log_answer("disconnect", answer)
        if answer.status == 200:
            self.account.confirm_disconnect()
        self.account.desired = DISCONNECTED

    def cancel(self) -> None:
        """Press Cancel, which has an effect only during a pairing."""
        jid, losses_allowed = self.account.jid, self.account.losses_allowed
        answer, attempts = self.product.request("POST", self.account.id, "cancel")
        self._log_answer("cancel", answer)
        cancelled = answer.body.get("message") == "The pairing was cancelled."
        if not cancelled and attempts > 1:
            # An earlier attempt without a response may have cancelled it.
            cancelled = self.product.status(self.account.id)["desired"] == DISCONNECTED
        if cancelled:
            self.account.desired = DISCONNECTED
            if jid and self.account.losses_allowed == losses_allowed:
                self.account.expect_disconnect("a person cancelled it after its scan")

    def scan(self) -> None:
        """Scan the current code, if there is one."""
        code = self._code()
        if code in ("", self.account.last_scanned_code):
            return  # Already scanned; the product has not processed it yet.
        if self.account.jid:
            self.product.findings.add(
                f"it shows a code, though it is linked as {self.account.jid} and nothing has "
                "unlinked it",
                self.account,
            )
            self.account.allow_loss("(told as a violation)", known_at_whatsapp=True)
        self._scan_with_phone(code)
        self.account.old_code = code

    def scan_an_old_code(self) -> None:
        """Scan an earlier code. WhatsApp refuses it unless its pairing is still active."""
        if self.account.old_code not in ("", self.account.last_scanned_code):
            self._scan_with_phone(self.account.old_code)

    def _scan_with_phone(self, code: str) -> None:
        losses_allowed = self.account.losses_allowed
        try:
            linked = self.product.simulator.scan(code, number=self.account.phone)
        except ControlError as error:
            self.account.log_note(f"the scan failed: {error}")
            if error.status not in UNKNOWN_OR_USED:
                self.account.has_unclear_scan = True
        else:
            self.account.linked(linked.jid, losses_allowed)
            self.account.last_scanned_code = code

    def remember_code(self) -> None:
        """Remember the current code, to scan it later."""
        self.account.old_code = self._code() or self.account.old_code

    def _code(self) -> str:
        answer, _ = self.product.request("GET", self.account.id, "qrcode")
        return decode(answer) if answer.status == 200 else ""

    def _log_answer(self, what: str, answer: Answer) -> None:
        result = answer.body.get("code") or answer.body.get("message")
        self.account.log_note(f"a person asked: {what}; told: {answer.status} {result}")


def act_as_expected(product: Product, account: Account) -> None:
    """Do what the status asks for to reach the expected state."""
    with account.busy:
        state = product.status(account.id)["state"]
        user = User(product, account)
        if account.desired == DISCONNECTED:
            if state == "action_needed":
                user.disconnect()
        elif state == "awaiting_scan":
            user.scan()
        elif state in ("action_needed", "disconnected"):
            user.reconnect()


class RandomUser(threading.Thread):
    """A thread that acts as random users on random organizations."""

    def __init__(self, product: Product, accounts: list[Account], rng: random.Random) -> None:
        super().__init__(daemon=True)
        self.stopped = threading.Event()
        self._product, self._accounts, self._rng = product, accounts, rng

    def run(self) -> None:
        while not self.stopped.wait(self._rng.uniform(0.05, 0.4)):
            account = self._rng.choice(self._accounts)
            if not account.busy.acquire(blocking=False):
                continue
            try:
                self._act_once(account)
            except NoAnswer as error:
                self._product.findings.add(str(error), notes=self._product.log_end())
            except Exception as error:
                self._product.findings.add(f"the driver broke: {type(error).__name__}: {error}")
            finally:
                account.busy.release()

    def _act_once(self, account: Account) -> None:
        state = self._product.status(account.id)["state"]
        user = User(self._product, account)
        look_only = partial(account.log_note, "a person looked")
        acts, weights = {
            "connected": (
                (user.disconnect, user.reconnect, user.cancel, look_only),
                (5, 5, 3, 87),
            ),
            "awaiting_scan": (
                (
                    user.scan,
                    user.cancel,
                    user.disconnect,
                    user.reconnect,
                    user.scan_an_old_code,
                    user.remember_code,
                ),
                (60, 8, 8, 8, 8, 8),
            ),
            "action_needed": ((user.reconnect, user.disconnect, look_only), (75, 5, 20)),
            "disconnected": ((user.reconnect, user.scan_an_old_code, look_only), (60, 10, 30)),
        }.get(
            state,
            ((user.reconnect, user.disconnect, user.cancel, look_only), (10, 3, 4, 83)),
        )
        self._rng.choices(acts, weights)[0]()
