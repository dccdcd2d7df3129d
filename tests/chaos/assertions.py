"""Compare the product with the expected state, and check its history for gaps."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from tests.chaos.accounts import CONNECTED, DISCONNECTED, Account
from tests.chaos.product import Product

Device = dict[str, Any]


def problems_now(product: Product, accounts: list[Account]) -> dict[int, list[str]]:
    """Return the current problems by organization id."""
    devices = product.simulator.devices()
    found = {}
    for account in accounts:
        devices_of_account = [device for device in devices if device["number"] == account.phone]
        status = product.status(account.id)
        if problems := _problems(product, account, status, devices_of_account):
            found[account.id] = problems
    return found


def leftover_devices(product: Product, accounts: list[Account]) -> dict[int, list[str]]:
    """Return devices that WhatsApp still lists but that should be logged out."""
    devices = product.simulator.devices()
    found = {}
    for account in accounts:
        devices_of_account = [device for device in devices if device["number"] == account.phone]
        if problems := _leftover_devices(product, account, devices_of_account):
            found[account.id] = problems
    return found


def _problems(
    product: Product, account: Account, status: dict[str, Any], devices_of_account: list[Device]
) -> list[str]:
    online = [device["jid"] for device in devices_of_account if device["online"]]
    folder = product.application.data_dir / "auth_sessions" / str(account.id)
    problems = []
    if status["desired"] != account.desired:
        problems.append(f"people want it {account.desired}, the API says {status['desired']}")
    if status["state"] != account.desired:
        problems.append(f"it is {status['state']} ({status['reason']}), not {account.desired}")
    if account.desired == CONNECTED:
        if len(online) != 1:
            problems.append(f"WhatsApp sees {len(online)} of its devices online, not one: {online}")
        if account.jid and online != [account.jid]:
            problems.append(f"it was linked as {account.jid}; online is {online}")
        if status["number"] != account.phone:
            problems.append(f"its number is {status['number']}, not {account.phone}")
        if not folder.is_dir():
            problems.append("its credentials' folder is gone")
    else:
        if online:
            problems.append(f"WhatsApp sees {online} online, of a disconnected one")
        if folder.exists():
            problems.append("its credentials' folder is still there")
    return problems


def _leftover_devices(
    product: Product, account: Account, devices_of_account: list[Device]
) -> list[str]:
    if account.has_unclear_scan:
        return []
    expected_jids = {account.jid, *account.ignored_devices}
    online = {device["jid"] for device in devices_of_account if device["online"]}
    left = {device["jid"] for device in devices_of_account} - expected_jids - online
    if not left or any(
        event["reason"] == "disconnected_untold" for event in history(product, account)
    ):
        return []
    descriptions = [f"{jid} ({account.devices.get(jid, 'never scanned')})" for jid in sorted(left)]
    return [f"WhatsApp still lists {'; '.join(descriptions)}, and the history does not tell of it"]


def history(product: Product, account: Account) -> list[dict[str, Any]]:
    """Return the whole history, the newest event first."""
    return list(product.events(account.id))


def history_gaps(lines: list[dict[str, Any]], status: dict[str, Any]) -> list[str]:
    """Return the gaps between events, and between the last one and the status."""
    if not lines:
        return ["it has no history"]
    gaps = []
    if (lines[0]["state"], lines[0]["reason"]) != (status["state"], status["reason"]):
        gaps.append(
            f"the history ends with {lines[0]['state']} ({lines[0]['reason']}), "
            f"and it is {status['state']} ({status['reason']})"
        )
    if lines[-1]["stateBefore"] != DISCONNECTED:
        gaps.append(f"the history begins with {lines[-1]['stateBefore']}")
    for newer, older in pairwise(lines):
        if newer["stateBefore"] != older["state"]:
            gaps.append(
                f"{newer['at']} {newer['event']} came from {newer['stateBefore']}, "
                f"but the line before left {older['state']} ({older['event']}, {older['at']})"
            )
    return gaps


def format_history(product: Product, account: Account, before: float, lines: int = 25) -> str:
    """Return the last events before a moment (Unix time) as text."""
    until = datetime.fromtimestamp(before, UTC).isoformat()
    events = [line for line in history(product, account) if line["at"] <= until][:lines]
    return "\n".join(
        f"    {line['at'][11:23]} {line['event']}: {line['stateBefore']} → {line['state']} "
        f"({line['reason']}) {line['detail']}".rstrip()
        for line in reversed(events)
    )
