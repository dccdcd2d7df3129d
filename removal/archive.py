"""All data of an organization as one ZIP file, which is made while it is sent."""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Iterable, Iterator
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from django.db.models import Model, QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone

from connections.models import ConnectionEvent
from events.models import Event
from messaging import media_files
from messaging.export import in_pages
from messaging.export import lines as message_lines
from messaging.models import Media
from organizations.access import Caller
from organizations.encryption import Undecryptable
from organizations.long_responses import while_allowed
from organizations.models import AuditEntry, Membership, Organization
from webhooks.models import Endpoint

CONTENT_TYPE = "application/zip"
README = """\
All that was stored of this organization. Each .ndjson file has one JSON object in each line.

messages.ndjson  people, files and messages; media/ has the content of the files by their id
feed.ndjson      the events that software reads
history.ndjson   the history of the WhatsApp connection
audit.ndjson     who changed what
members.ndjson   members and their roles
webhooks.ndjson  the webhooks, without their secrets
missing.ndjson   the files whose content could not be read, and why

No credentials, tokens or passwords are in it.
"""


def archive_response(organization: Organization, caller: Caller) -> StreamingHttpResponse:
    """Return a response that is a ZIP file with everything, for as long as the caller may read it.

    The view has checked that, and audits it.
    """
    in_person = caller.token is None and caller.is_superuser

    def check() -> None:
        now = caller.reread()
        if in_person:  # With a reason, and without the right to read messages.
            now.require_superuser()
            now.organization(organization.pk)
        else:
            now.require_full_data(now.organization(organization.pk))

    chunks = while_allowed(_stream(organization.pk), check)
    response = StreamingHttpResponse(chunks, content_type=CONTENT_TYPE)
    name = f"organization-{organization.pk}-{timezone.localdate()}.zip"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "private, no-store"
    return response


class _Outlet:
    """A file that keeps only what was written since the last `take`."""

    def __init__(self) -> None:
        self._data = bytearray()

    def write(self, data: bytes) -> int:
        self._data += data
        return len(data)

    def flush(self) -> None:
        """Do nothing: `take` empties it."""

    def take(self) -> bytes:
        """Return what was written since the last call."""
        data = bytes(self._data)
        self._data.clear()
        return data


def _stream(organization_id: int) -> Iterator[bytes]:
    """Yield the ZIP file. One that was cut off has no directory, so no program takes it."""
    outlet = _Outlet()
    # ZipFile writes to anything with `write`, and then needs no seek.
    with ZipFile(outlet, "w", ZIP_DEFLATED) as archive:  # type: ignore[call-overload]
        for info, chunks in _entries(organization_id):
            with archive.open(info, "w", force_zip64=True) as entry:
                for chunk in chunks:
                    entry.write(chunk)
                    yield outlet.take()
            yield outlet.take()
    yield outlet.take()


def _entries(organization_id: int) -> Iterator[tuple[ZipInfo, Iterable[bytes]]]:
    """Yield the files of the archive, each with its content in chunks."""
    organization = Organization.objects.get(pk=organization_id)
    yield _info("README.txt"), [README.encode()]
    yield _info("messages.ndjson"), message_lines(organization)
    yield _info("feed.ndjson"), _lines(Event.objects.filter(organization=organization), _event)
    history = ConnectionEvent.objects.filter(connection=organization_id)
    yield _info("history.ndjson"), _lines(history, _history)
    audit = AuditEntry.objects.filter(organization=organization)
    yield _info("audit.ndjson"), _lines(audit, _audit)
    members = Membership.objects.filter(organization=organization).select_related("user")
    yield _info("members.ndjson"), _lines(members, _member)
    webhooks = Endpoint.objects.present().filter(organization=organization)
    yield _info("webhooks.ndjson"), _lines(webhooks, _webhook)
    missing: list[bytes] = []
    for media in in_pages(Media.objects.filter(organization=organization).exclude(stored_as="")):
        content = media_files.read(media.stored_as)
        try:
            first = next(content, b"")
        except (FileNotFoundError, Undecryptable) as error:
            missing.append(_line({"id": media.public_id, "why": type(error).__name__}))
            continue
        # The sender's name for it never becomes a path.
        suffix = mimetypes.guess_extension(media.mime_type) or ".bin"
        yield _info(f"media/{media.public_id}{suffix}", ZIP_STORED), _chain(first, content)
    yield _info("missing.ndjson"), missing


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _info(name: str, compression: int = ZIP_DEFLATED) -> ZipInfo:
    info = ZipInfo(name, timezone.localtime().timetuple()[:6])
    info.compress_type = compression
    info.external_attr = 0o600 << 16
    return info


def _lines(rows: QuerySet[Any], represent: Any) -> Iterator[bytes]:
    return (_line(represent(row)) for row in in_pages(rows))


def _line(data: dict[str, Any]) -> bytes:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _event(event: Event) -> dict[str, Any]:
    return {"sequence": event.sequence, "type": event.type, **_at(event), "data": event.data}


def _history(event: ConnectionEvent) -> dict[str, Any]:
    names = ("observation", "state_before", "state", "reason", "detail", "actor")
    return {**_at(event), **{name: getattr(event, name) for name in names}}


def _audit(entry: AuditEntry) -> dict[str, Any]:
    names = ("action", "detail", "actor", "address")
    return {**_at(entry), **{name: getattr(entry, name) for name in names}}


def _member(membership: Membership) -> dict[str, Any]:
    return {"username": membership.user.get_username(), "role": membership.role}


def _webhook(endpoint: Endpoint) -> dict[str, Any]:
    names = ("host", "types", "format", "state")
    return {name: getattr(endpoint, name) for name in names}


def _at(row: Model) -> dict[str, str]:
    return {"at": row.at.isoformat()}  # type: ignore[attr-defined]
