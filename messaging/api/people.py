"""Which people a caller may find out about."""

from __future__ import annotations

from messaging.models import Contact, Message
from organizations.access import Caller, Permission
from organizations.models import Organization


def may_know(caller: Caller, contact: Contact, organization: Organization) -> bool:
    """Return whether the caller may find out that this person is known here.

    Callers who only send do not learn who wrote first.
    """
    if caller.may(Permission.READ_MESSAGES, organization):
        return True
    return contact.messages.filter(direction=Message.Direction.OUT).exists()
