"""The actor of a change, as audit entries and events store it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import User

if TYPE_CHECKING:
    from organizations.access import Caller
    from organizations.models import ApiToken

LABEL_LENGTH = 200


@dataclass(frozen=True)
class Actor:
    """A user, a token or both, with a label and the network address of the request.

    `caller` is set for requests: `organizations.actions` checks its rights again under locks.
    Management commands have no caller and may do everything.
    """

    label: str
    user: User | None = None
    token: ApiToken | None = None
    address: str | None = None
    caller: Caller | None = field(default=None, compare=False, repr=False)

    @property
    def columns(self) -> dict[str, Any]:
        """Return the column values for a row that records an actor."""
        return {
            "actor": self.short_label,
            "user": self.user,
            "token": self.token,
            "address": self.address,
        }

    @property
    def short_label(self) -> str:
        """Return the label, cut to the length of the column."""
        return self.label[:LABEL_LENGTH]


COMMAND_LINE = Actor("command line")
