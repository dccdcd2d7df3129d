"""Whether what people wanted is what is, and whether the history tells how it came to it."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from tests.chaos.accounts import CONNECTED, DISCONNECTED, Account
from tests.chaos.product import Product

Device = dict[str, Any]


def present(product: Product, accounts: list[Account]) -> dict[int, list[str]]:
    """What is not as it should be at this moment, for each organization where anything is."""
    devices = product.simulator.devices()
    found = {}
    for account in accounts:
        own = [device for device in devices if device["number"] == account.phone]
        status = product.status(account.id)
        if wrong := _wrong(product, account, status, own):
            found[account.id] = wrong
    return found


def left_over(product: Product, accounts: list[Account]) -> dict[int, list[str]]:
    """Once all is well: devices that WhatsApp still lists though they should be logged out."""
    devices = product.simulator.devices()
    found = {}
    for account in accounts:
        own = [device for device in devices if device["number"] == account.phone]
        if wrong := _left_over(product, account, own):
            found[account.id] = wrong
    return found


def _wrong(
    product: Product, account: Account, status: dict[str, Any], own: list[Device]
) -> list[str]:
    online = [device["jid"] for device in own if device["online"]]
    folder = product.application.data_dir / "auth_sessions" / str(account.id)
    wrong = []
    if status["desired"] != account.desired:
        wrong.append(f"people want it {account.desired}, the API says {status['desired']}")
    if status["state"] != account.desired:
        wrong.append(f"it is {status['state']} ({status['reason']}), not {account.desired}")
    if account.desired == CONNECTED:
        if len(online) != 1:
            wrong.append(f"WhatsApp sees {len(online)} of its devices online, not one: {online}")
        if account.jid and online != [account.jid]:
            wrong.append(f"it was linked as {account.jid}; online is {online}")
        if status["number"] != account.phone:
            wrong.append(f"its number is {status['number']}, not {account.phone}")
        if not folder.is_dir():
            wrong.append("its credentials' folder is gone")
    else:
        if online:
            wrong.append(f"WhatsApp sees {online} online, of a disconnected one")
        if folder.exists():
            wrong.append("its credentials' folder is still there")
    return wrong


def _left_over(product: Product, account: Account, own: list[Device]) -> list[str]:
    if account.uncertain:
        return []
    known = {account.jid, *account.abandoned}
    online = {device["jid"] for device in own if device["online"]}
    left = {device["jid"] for device in own} - known - online
    if not left or any(
        told["reason"] == "disconnected_untold" for told in history(product, account)
    ):
        return []
    stories = [f"{jid} ({account.devices.get(jid, 'never scanned')})" for jid in sorted(left)]
    return [f"WhatsApp still lists {'; '.join(stories)}, and the history does not tell of it"]


def history(product: Product, account: Account) -> list[dict[str, Any]]:
    """The whole of it, the newest line first."""
    return list(product.events(account.id))


def history_gaps(lines: list[dict[str, Any]], status: dict[str, Any]) -> list[str]:
    """Where a history, the newest line first, does not lead step by step to what is now."""
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


def happened(product: Product, account: Account, before: float, lines: int = 25) -> str:
    """What the product's history says of the time before a moment (Unix time), for people."""
    until = datetime.fromtimestamp(before, UTC).isoformat()
    events = [line for line in history(product, account) if line["at"] <= until][:lines]
    return "\n".join(
        f"    {line['at'][11:23]} {line['event']}: {line['stateBefore']} → {line['state']} "
        f"({line['reason']}) {line['detail']}".rstrip()
        for line in reversed(events)
    )
