"""Report that something does not work, or works again, to whoever tells people.

Any app may report a kind of trouble of its own; the app `notices` receives it, in the transaction
of the change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.dispatch import Signal

trouble_began = Signal()
"""Keyword argument: `trouble`, a TroubleReport."""
trouble_ended = Signal()
"""Keyword arguments: `organization_id`, `kind`, `key`, and `recovered`: whether those who were told
of it are told that it is over."""


@dataclass(frozen=True)
class TroubleReport:
    """Something that does not work.

    `organization_id`: None for the installation. `key`: which of several things of this kind.
    `sentence`, `next_step`: marked for translation with `gettext_noop`; `values` fill both, and
    must not be secret. `needs_action`: it stays until a person does something; a trouble that was
    told without that is told again with it. `path`: of the page that helps.
    """

    organization_id: int | None
    kind: str
    sentence: str
    next_step: str
    path: str
    key: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    needs_action: bool = True


def begin(trouble: TroubleReport) -> None:
    """Report a trouble, or what has become of one that is open. Call it in a transaction."""
    trouble_began.send(sender=TroubleReport, trouble=trouble)


def end(organization_id: int | None, kind: str, key: str = "", *, recovered: bool) -> None:
    """Report that a trouble is over, if there was one. Call it in a transaction."""
    trouble_ended.send(
        sender=TroubleReport,
        organization_id=organization_id,
        kind=kind,
        key=key,
        recovered=recovered,
    )
