"""What new links for the owners of many phones would do, for the question before they are made."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime

from connections.actions.owner_links import check_limit, check_linkable
from connections.bulk import Problem
from connections.models import Connection, Worker, Workforce
from connections.owner_link_texts import describe
from connections.refusals import RequestRefused
from connections.status import status_of_row
from organizations.access import PERMISSIONS, Caller, Permission

NO_LINK_YET = datetime.min.replace(tzinfo=UTC)


@dataclass
class RefusedGroup:
    """Organizations that would get no link for the same reason."""

    reason: str
    rows: list[Connection] = field(default_factory=list)
    wait: int = 0
    """The longest of their waits, in seconds."""


@dataclass
class LinkPlan:
    """Who would get a link, whose link would be revoked by it, and who would get none and why."""

    new: list[Connection] = field(default_factory=list)
    replaced: list[tuple[Connection, str]] = field(default_factory=list)
    """With what became of the link so far."""
    refused: dict[str, RefusedGroup] = field(default_factory=dict)
    """By the code of the refusal: the waits in its texts differ by seconds."""
    missing: int = 0
    """How many were chosen that the caller does not see (any more)."""
    seen: datetime = NO_LINK_YET
    """When the newest link of these was made."""

    @property
    def count(self) -> int:
        return len(self.new) + len(self.replaced)


def plan_links(caller: Caller, ids: Collection[int]) -> LinkPlan:
    """Plan a link for each of these organizations, in the order of names."""
    chosen = set(ids)
    Connection.objects.create_missing(caller.organizations)
    visible = Connection.objects.filter(organization__in=caller.organizations)
    ordered = visible.select_related("organization", "worker")
    # Filtered here and not by pk__in: a database limits the number of parameters.
    rows = [row for row in ordered.order_by("organization__folded_name", "pk") if row.pk in chosen]
    plan = LinkPlan(missing=len(chosen) - len(rows))
    workforce = Worker.workforce()
    roles = caller.roles(row.organization for row in rows)
    for row in rows:
        if Permission.OPERATE not in PERMISSIONS.get(roles.get(row.pk, ""), ()):
            no_right = RefusedGroup(str(Problem.NO_RIGHT.label))
            group = plan.refused.setdefault(Problem.NO_RIGHT, no_right)
            group.rows.append(row)
        else:
            _plan_one(plan, row, workforce)
    return plan


def _plan_one(plan: LinkPlan, row: Connection, workforce: Workforce) -> None:
    link = row.owner_links.select_related("connection__organization", "user").first()
    if link is not None:
        plan.seen = max(plan.seen, link.made_at)
    try:
        check_linkable(row)
        check_limit(row)
    except RequestRefused as refusal:
        group = plan.refused.setdefault(refusal.code, RefusedGroup(refusal.page_message))
        group.rows.append(row)
        if (refusal.wait or 0) > group.wait:
            group.wait, group.reason = refusal.wait or 0, refusal.page_message
        return
    if link is None or not link.is_open:
        plan.new.append(row)
    else:
        plan.replaced.append((row, describe(link, status_of_row(row, workforce))))
