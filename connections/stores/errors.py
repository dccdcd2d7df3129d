"""Errors of stores, whatever the backend."""

from django.db import OperationalError


class StoreDamaged(Exception):
    """The content of a store is not a valid database any more."""


class StoreUnusable(Exception):
    """A store cannot be opened at the moment: the disk fails or permissions are missing."""


class StoreUnavailable(OperationalError):
    """The database that holds the stores does not answer. Callers wait until it does."""


class StoresNotIsolated(Exception):
    """The database ignores search_path: organizations would find each other's credentials."""
