"""Queries that are asked again and again: put into SQL once, which is most of what each costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import connection as database
from django.db.models import QuerySet


class Prepared:
    """The rows of a query that is always the same, as tuples. For `values_list` only.

    Its times are the database's own (`Now`): a time of Python's would stay what it once was. What
    is selected is told as the database gives it: numbers and texts.
    """

    def __init__(self, query: Callable[[], QuerySet[Any, Any]]) -> None:
        self._query = query
        self._sql: tuple[str, tuple[Any, ...]] | None = None

    def rows(self) -> list[tuple[Any, ...]]:
        """Ask the database."""
        if self._sql is None:
            self._sql = self._query().query.sql_with_params()
        with database.cursor() as cursor:
            cursor.execute(*self._sql)
            found: list[tuple[Any, ...]] = cursor.fetchall()
            return found
