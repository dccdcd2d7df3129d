"""What a token may do, in sentences: in the form that makes one, on its page, from the command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as lazy

from organizations.models import ApiToken


@dataclass(frozen=True)
class Sentence:
    """A sentence that is true of tokens with these values. `{days}` in it is their lifetime."""

    text: Promise
    when: Mapping[str, str]

    def holds(self, values: Mapping[str, str]) -> bool:
        return all(values[name] == value for name, value in self.when.items())

    @property
    def condition(self) -> str:
        """Return `when` for the form's script: "reach=organization kind=rest"."""
        return " ".join(f"{name}={value}" for name, value in self.when.items())


# The names are those of the form's fields.
SENTENCES = (
    Sentence(
        lazy("It opens one organization, and nothing of any other."), {"reach": "organization"}
    ),
    Sentence(
        lazy("It stands for its user: it opens all organizations they may see, now and later."),
        {"reach": "user"},
    ),
    Sentence(
        lazy("It reads states and history. It cannot connect, disconnect or change settings."),
        {"kind": "rest", "scope": "read"},
    ),
    Sentence(
        lazy("It reads states and history, connects, disconnects, and sees the codes for phones."),
        {"kind": "rest", "scope": "manage", "reach": "organization"},
    ),
    Sentence(
        lazy(
            "It may do all that its user may, apart from messages: also manage members and make "
            "further tokens."
        ),
        {"kind": "rest", "scope": "manage", "reach": "user"},
    ),
    Sentence(lazy("It opens the Cloud API alone, nothing of the REST API."), {"kind": "graph"}),
    Sentence(
        lazy("It neither sends nor reads messages."),
        {"sends_messages": "no", "reads_messages": "no"},
    ),
    Sentence(
        lazy("It sends messages, and reads none."),
        {"sends_messages": "yes", "reads_messages": "no"},
    ),
    Sentence(
        lazy("It reads messages with their files and numbers, and sends none."),
        {"sends_messages": "no", "reads_messages": "yes"},
    ),
    Sentence(
        lazy("It sends messages, and reads them with their files and numbers."),
        {"sends_messages": "yes", "reads_messages": "yes"},
    ),
    Sentence(lazy("Days until it ends by itself: {days}."), {"expires": "yes"}),
    Sentence(lazy("It never ends by itself: it works until it is revoked."), {"expires": "no"}),
)


def values_of(
    *, organization: bool, kind: str, scope: str, sends: bool, reads: bool, expires: bool
) -> dict[str, str]:
    """Return the values that the sentences ask for."""
    words = {True: "yes", False: "no"}
    return {
        "reach": "organization" if organization else "user",
        "kind": kind,
        "scope": scope,
        "sends_messages": words[sends],
        "reads_messages": words[reads],
        "expires": words[expires],
    }


def describe(token: ApiToken) -> list[str]:
    """Return the sentences that are true of a token."""
    values = values_of(
        organization=token.organization_id is not None,
        kind=token.kind,
        scope=token.scope,
        sends=token.sends_messages,
        reads=token.reads_messages,
        expires=token.expiry is not None,
    )
    lifetime = token.expiry - token.created if token.expiry else timedelta()
    # Rounded: the expiry was computed a moment before the row.
    days = max(1, round(lifetime / timedelta(days=1)))
    return [str(found.text).format(days=days) for found in SENTENCES if found.holds(values)]
