"""Everything that is stored of an organization's messages, as lines of JSON.

Rows are read in pages, so an export of any size needs little memory.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from django.db.models import Model, Q, QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone

from messaging.models import Contact, Media, Message
from messaging.queue_reasons import WaitingReasons
from messaging.representation import contact_json, full, media_json
from organizations.access import Caller
from organizations.long_responses import while_allowed
from organizations.models import Organization

CONTENT_TYPE = "application/x-ndjson"
PAGE = 500

Row = TypeVar("Row", bound=Model)


def export_response(organization: Organization, caller: Caller) -> StreamingHttpResponse:
    """Return a response that is a file with everything, for as long as the caller may read it.

    The view has checked that, and audits it.
    """

    def check() -> None:
        now = caller.reread()
        now.require_full_data(now.organization(organization.pk))

    chunks = while_allowed(lines(organization), check)
    response = StreamingHttpResponse(chunks, content_type=CONTENT_TYPE)
    name = f"messages-{organization.pk}-{timezone.localdate()}.ndjson"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "private, no-store"
    return response


def lines(organization: Organization) -> Iterator[bytes]:
    """Yield the lines of an export; the last one says how many of each kind there are."""
    waiting = WaitingReasons(organization.pk)
    parts: tuple[tuple[str, QuerySet[Any], Callable[[Any], dict[str, Any]]], ...] = (
        ("contact", Contact.objects.exclude(Q(number="") & Q(lid="")), _contact),
        ("media", Media.objects.defer("source"), media_json),
        (
            "message",
            Message.objects.select_related("contact", "media", "resends"),
            lambda message: full(message, waiting),
        ),
    )
    count = dict.fromkeys((kind for kind, _, _ in parts), 0)
    yield _line("organization", {"id": organization.pk, "name": organization.name})
    for kind, rows, represent in parts:
        for row in in_pages(rows.filter(organization=organization)):
            count[kind] += 1
            yield _line(kind, represent(row))
    yield _line("end", count)


def _contact(contact: Contact) -> dict[str, Any]:
    times = {"lastReceivedAt": contact.last_received_at, "lastSentAt": contact.last_sent_at}
    return {
        **contact_json(contact),
        **{name: at.isoformat() if at else None for name, at in times.items()},
    }


def in_pages(rows: QuerySet[Row]) -> Iterator[Row]:
    """Yield all rows by their ids, upwards."""
    last = 0
    while page := list(rows.filter(pk__gt=last).order_by("pk")[:PAGE]):
        yield from page
        last = page[-1].pk


def _line(kind: str, data: dict[str, Any]) -> bytes:
    line = json.dumps({"kind": kind, **data}, ensure_ascii=False, separators=(",", ":"))
    return line.encode() + b"\n"
