"""The log of an organization: numbered without gaps, read by a cursor, encrypted at rest."""

from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest
from django.db import connection, transaction
from pytest_django import DjangoCaptureOnCommitCallbacks

from events import log, notifications
from events.log import NewEvent
from events.models import Event, EventType
from events.notifications import ALL_LOGS_GROUP, log_group
from organizations.models import Organization

pytestmark = pytest.mark.django_db


def received(text: str) -> NewEvent:
    return NewEvent(EventType.MESSAGE_RECEIVED, {"text": {"body": text}}, subject="m1")


@pytest.fixture
def organization() -> Organization:
    return Organization.objects.create(name="Padaria")


def append(organization: Organization, *events: NewEvent) -> None:
    with transaction.atomic():
        log.append(organization.pk, events)


def test_events_are_numbered_from_one_in_each_organization(organization: Organization) -> None:
    other = Organization.objects.create(name="Farmácia")
    append(organization, received("a"), received("b"))
    append(other, received("c"))
    append(organization, received("d"))
    assert [event.sequence for event in log.read(organization.pk, 0, 10)] == [1, 2, 3]
    assert [event.sequence for event in log.read(other.pk, 0, 10)] == [1]
    assert log.last_sequence(organization.pk) == 3


def test_events_of_several_organizations_are_numbered_in_each(organization: Organization) -> None:
    other = Organization.objects.create(name="Farmácia")
    append(other, received("a"))
    with transaction.atomic():
        log.append_all({other.pk: [received("b"), received("c")], organization.pk: [received("d")]})
    assert [event.sequence for event in log.read(other.pk, 0, 10)] == [1, 2, 3]
    assert [event.sequence for event in log.read(organization.pk, 0, 10)] == [1]
    assert (log.last_sequence(other.pk), log.last_sequence(organization.pk)) == (3, 1)


def test_sequence_of_a_rolled_back_transaction_is_used_again(organization: Organization) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        log.append(organization.pk, [received("a")])
        raise RuntimeError
    append(organization, received("b"))
    assert [event.data for event in log.read(organization.pk, 0, 10)] == [{"text": {"body": "b"}}]
    assert log.last_sequence(organization.pk) == 1


def test_reader_gets_the_events_after_its_cursor_of_the_wanted_types(
    organization: Organization,
) -> None:
    status = NewEvent(EventType.MESSAGE_STATUS, {"state": "sent"})
    append(organization, received("a"), status, received("b"), status)
    assert [e.sequence for e in log.read(organization.pk, 1, 2)] == [2, 3]
    found = log.read(organization.pk, 0, 10, [EventType.MESSAGE_STATUS])
    assert [event.sequence for event in found] == [2, 4]


def test_data_is_not_readable_in_the_database(organization: Organization) -> None:
    append(organization, received("Olá"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT data FROM events_event")
        stored = cursor.fetchone()[0]
    assert "Olá" not in stored and "Ol\\u00e1" not in stored
    assert stored.startswith("secret-key:")


def test_redacted_event_keeps_its_number_and_loses_its_text(organization: Organization) -> None:
    append(organization, received("Olá"))
    append(organization, received("Oi"))
    first = Event.objects.filter(sequence=1)
    log.redact(Event.objects.all(), ["id"], lambda data: data["text"]["body"] == "Olá")
    assert first.get().data == {}
    assert Event.objects.get(sequence=2).data == {"text": {"body": "Oi"}}


def test_what_a_worker_appends_is_its_own(
    organization: Organization,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    groups: list[tuple[str, int | None, frozenset[str] | None]] = []

    async def send(*messages: Any) -> None:
        groups.extend(messages)

    class ThisThread:
        def call_soon_threadsafe(self, function: Callable[..., object], argument: object) -> None:
            function(argument)

    own: list[Mapping[int, frozenset[str]]] = []
    take = own.append
    monkeypatch.setattr(notifications, "_send", send)

    def append_two() -> None:
        status = NewEvent(EventType.MESSAGE_STATUS, {"state": "sent"})
        with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
            log.append(organization.pk, [received("a")])
            log.append(organization.pk, [status])

    types = frozenset({"message.received", "message.status"})
    reader, workers = log_group(organization.pk), (ALL_LOGS_GROUP, organization.pk, types)
    append_two()
    assert groups == [(reader, organization.pk, None), workers]
    groups.clear()
    monkeypatch.setitem(notifications._own_readers, take, cast(Any, ThisThread()))
    monkeypatch.setattr(notifications, "_start_sending", groups.extend)
    append_two()
    assert own == [{organization.pk: types}]
    assert groups == [(reader, organization.pk, None)]
