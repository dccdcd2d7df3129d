"""What hidden fields of forms carry."""

from __future__ import annotations

from datetime import datetime

from django.core.exceptions import BadRequest
from django.http import HttpRequest

from organizations.id_sets import InvalidIds, parse_ids


def ids_in(text: str) -> list[int]:
    """Return the ids that a form or an address carries. Raises BadRequest."""
    try:
        return parse_ids(text)
    except InvalidIds as error:
        raise BadRequest("these are not ids") from error


def posted_ids(request: HttpRequest, field: str) -> list[int]:
    """Return the ids in a field of the form. Raises BadRequest."""
    return ids_in(request.POST.get(field, ""))


def posted_time(request: HttpRequest, field: str) -> datetime:
    """Return the time in a field of the form. Raises BadRequest."""
    try:
        time = datetime.fromisoformat(request.POST.get(field, ""))
    except ValueError as error:
        raise BadRequest("this is no time") from error
    if time.tzinfo is None:
        raise BadRequest("this time has no zone")
    return time
