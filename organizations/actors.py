"""Who did something, as the history remembers it."""

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
    """A user, a token or both, what to call them, and the network address they came from.

    `caller` is set when somebody's right was checked before: `organizations.actions` checks it
    again under its locks. Commands have none, and may do everything.
    """

    label: str
    user: User | None = None
    token: ApiToken | None = None
    address: str | None = None
    caller: Caller | None = field(default=None, compare=False, repr=False)

    @property
    def columns(self) -> dict[str, Any]:
        """This actor as the columns of a history that names one."""
        return {
            "actor": self.short_label,
            "user": self.user,
            "token": self.token,
            "address": self.address,
        }

    @property
    def short_label(self) -> str:
        """The label, as long as the history has room for."""
        return self.label[:LABEL_LENGTH]


COMMAND_LINE = Actor("command line")
