"""Why a request to somebody else's address failed: a kind for software, a sentence for people.

Neither names the address: its path and query may be secret.
"""

from __future__ import annotations

from enum import StrEnum

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _


class Kind(StrEnum):
    """What happened. `REFUSED` does not say who refused, so that nobody can probe our network."""

    REFUSED = "refused"
    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    TIMED_OUT = "timed_out"
    TOO_LARGE = "too_large"
    CLOSED = "closed"
    UNUSABLE = "unusable"


SENTENCES = {
    Kind.REFUSED: _(
        "This address cannot be reached: it does not exist, refuses the connection, or is not one "
        "on the public internet with https on port 443 or 8443."
    ),
    Kind.DNS: _("The name of the server could not be looked up."),
    Kind.CONNECT: _("No connection to the server could be made."),
    Kind.TLS: _("The server has no valid certificate for its name."),
    Kind.TIMED_OUT: _("The server did not answer in time."),
    Kind.TOO_LARGE: _("The server's answer is too large."),
    Kind.CLOSED: _("The server closed the connection, or sent something that is no HTTP answer."),
    Kind.UNUSABLE: _("The server answered with something other than the file."),
}


class RequestFailed(Exception):
    """A request that got no answer, or none of use. `kind`: why; `status`: of the answer, or 0."""

    def __init__(self, kind: Kind, status: int = 0) -> None:
        super().__init__(kind.value)
        self.kind = kind
        self.status = status

    @property
    def sentence(self) -> str:
        """What went wrong, in the active language."""
        return gettext(SENTENCES[self.kind])


class AddressRefused(RequestFailed):
    """An address that is not to be connected to, whatever the reason."""

    def __init__(self) -> None:
        super().__init__(Kind.REFUSED)


class TooManyRequests(Exception):
    """So many requests of this process, or of one organization, are under way. Try again soon."""
