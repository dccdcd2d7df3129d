"""What can be wrong with a store, on whatever it lies."""

from django.db import OperationalError


class Damaged(Exception):
    """What lies in a store is not a whole database any more."""


class Unusable(Exception):
    """A store cannot be opened at the moment: the disk or the rights to it."""


class Away(OperationalError):
    """The database that holds the stores does not answer. Whoever needs it waits for it."""


class Misdirected(Exception):
    """Nothing may be opened there: organizations would find each other's credentials."""
