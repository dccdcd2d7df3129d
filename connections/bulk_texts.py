"""The sums of bulk runs as sentences: how many were ticked, and what becomes of each group."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import ngettext

from connections.models import BulkItem, BulkRun

Action, Result, Problem = BulkRun.Action, BulkItem.Result, BulkItem.Problem


def sum_up(action: str, groups: Iterable[tuple[str, int]], *, planned: bool = False) -> str:
    """Return one sentence that adds up: "58 ticked: 41 reconnected, 17 are connected already".

    `groups`: a BulkItem.Result or, for what is skipped, a BulkItem.Problem, with its count.
    `planned`: before the run, so that what waits "will be" reconnected.
    """
    counts: dict[str, int] = {}
    for group, count in groups:
        counts[group] = counts.get(group, 0) + count
    total = sum(counts.values())
    head = ngettext("{count} ticked", "{count} ticked", total).format(count=total)
    parts = [_part(action, group, count, planned) for group, count in counts.items() if count]
    return f"{head}: {', '.join(parts)}" if parts else head


def phones_text(count: int) -> str:
    """Return the heading above the ways to link phones."""
    text = ngettext(
        "{count} organization needs its phone", "{count} organizations need their phones", count
    )
    return text.format(count=count)


def _part(action: str, group: str, count: int, planned: bool) -> str:
    texts = _problems(count) | _results(count) | _outcomes(action, count, planned)
    return texts[group].format(count=count)


def _outcomes(action: str, count: int, planned: bool) -> dict[str, str]:
    """Return the texts that differ between the two actions."""
    if action == Action.RECONNECT:
        future = ngettext("{count} will be reconnected", "{count} will be reconnected", count)
        done = ngettext("{count} reconnected", "{count} reconnected", count)
    else:
        future = ngettext("{count} will be disconnected", "{count} will be disconnected", count)
        done = ngettext("{count} disconnected", "{count} disconnected", count)
    waits = ngettext("{count} waits for its turn", "{count} wait for their turn", count)
    return {Result.WAITING: future if planned else waits, Result.DONE: done}


def _results(count: int) -> dict[str, str]:
    return {
        Result.ASKED: ngettext("{count} under way", "{count} under way", count),
        Result.SCAN: ngettext(
            "{count} waits for its phone", "{count} wait for their phones", count
        ),
        Result.PHONE: ngettext("{count} needs its phone", "{count} need their phones", count),
        Result.RETRYING: ngettext(
            "{count} is tried again by itself", "{count} are tried again by themselves", count
        ),
        Result.FAILED: ngettext("{count} failed", "{count} failed", count),
        Result.STOPPED: ngettext(
            "{count} was stopped before its turn", "{count} were stopped before their turn", count
        ),
    }


def _problems(count: int) -> dict[str, str]:
    return {
        Problem.CONNECTED: ngettext(
            "{count} is connected already", "{count} are connected already", count
        ),
        Problem.CONNECTING: ngettext(
            "{count} is being connected already", "{count} are being connected already", count
        ),
        Problem.DISCONNECTING: ngettext(
            "{count} is being disconnected", "{count} are being disconnected", count
        ),
        Problem.DISCONNECTED: ngettext(
            "{count} has nothing to disconnect", "{count} have nothing to disconnect", count
        ),
        Problem.INACTIVE: ngettext("{count} is deactivated", "{count} are deactivated", count),
        Problem.BANNED: ngettext(
            "{count} is banned for a while", "{count} are banned for a while", count
        ),
        Problem.NO_RIGHT: ngettext(
            "{count} may only be looked at by you", "{count} may only be looked at by you", count
        ),
        Problem.GONE: ngettext("{count} is no longer yours", "{count} are no longer yours", count),
    }
