"""What a bulk reconnect offers where phones are needed: owners' links, and one after the other."""

from __future__ import annotations

import csv
import html as html_module
import re
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from connections.admin.bulk_links import to_csv
from connections.id_sets import format_ids
from connections.lifecycle import Desired, Reason, State
from connections.models import BulkRun, Connection, OwnerLink
from connections.owner_link.links import find_by_secret
from connections.tests.support.fake_worker import FakeWorker
from organizations.models import AuditEntry, Membership, Organization

LIST = reverse("admin:connections_connection_changelist")
RUN = reverse("admin:connections_connection_bulk")
LINKS = reverse("owner_links")
QUEUE = reverse("admin:connections_connection_bulk_queue")
SECRET = re.compile(r"#([0-9a-f]{40})")


@pytest.fixture
def client(alice: User) -> Client:
    client = Client()
    client.force_login(alice)
    return client


def unlinked(user: User, *names: str) -> list[Connection]:
    """Return connections of organizations that this user operates, without credentials."""
    made = [Organization.objects.create(name=name) for name in names]
    operator = Membership.Role.OPERATOR
    for row in made:
        Membership.objects.create(user=user, organization=row, role=operator)
    return [Connection.objects.of(row) for row in made]


def ids(rows: list[Connection]) -> str:
    return format_ids(row.pk for row in rows)


def text(answer: Any) -> str:
    return " ".join(html_module.unescape(answer.content.decode()).split())


def post_links(client: Client, rows: list[Connection], lifetime: int = 86_400) -> Any:
    return client.post(LINKS, {"chosen": ids(rows), "lifetime": lifetime})


def queued(rows: list[Connection], row: Connection) -> str:
    at = reverse("admin:connections_connection_bulk_queued", args=[row.pk])
    return f"{at}?chosen={ids(rows)}"


def test_reconnect_of_phones_offers_both_ways(client: Client, alice: User) -> None:
    rows = unlinked(alice, *(f"Shop {number:02}" for number in range(40)))
    form = {"action": "bulk_reconnect", "index": 0, "_selected_action": [row.pk for row in rows]}
    html = text(client.post(LIST, form))
    assert "Reconnect: 40 organizations need their phones" in html
    assert "40 ticked: 40 need their phones." in html
    assert "nothing to do" not in html.lower() and " 0 organizations" not in html
    for address in (LINKS, QUEUE):
        assert f'action="{address}"' in html
    assert html.count(f'name="chosen" value="{ids(rows)}"') == 3
    assert '<option value="86400" selected>1 d</option>' in html


def test_run_offers_both_ways_for_its_phones(client: Client, alice: User, hand: FakeWorker) -> None:
    (linked, needs_phone) = unlinked(alice, "Linked", "Needs its phone")
    Connection.objects.filter(pk=linked.pk).update(
        desired=Desired.CONNECTED,
        state=State.ACTION_NEEDED,
        reason=Reason.TAKEN_OVER,
        store_name="attempt-1",
    )
    client.post(RUN, {"action": "reconnect", "chosen": ids([linked, needs_phone])})
    run = BulkRun.objects.get()
    address = reverse("admin:connections_connection_run", args=[run.pk])
    assert f'name="chosen" value="{needs_phone.pk}"' in text(client.get(address))
    progress = client.get(f"{address}progress/").json()
    assert progress["phones"] == str(needs_phone.pk)
    assert progress["phonesText"] == "1 organization needs its phone"


def test_links_are_shown_once_with_a_csv_file(
    client: Client, alice: User, other_organization: Organization, caplog: Any
) -> None:
    rows = unlinked(alice, "Botica", '=HYPERLINK("x")')
    Organization.objects.filter(pk=rows[0].pk).update(expected_number="5511987654321")
    Connection.objects.filter(pk=rows[1].pk).update(last_number="5511900000001")
    foreign = Connection.objects.of(other_organization)
    answer = post_links(client, [*rows, foreign])
    html = text(answer)
    assert "no-store" in answer.headers["Cache-Control"]
    assert "Globex" not in html and "1 is no longer yours." in html
    file = re.search(r"<textarea[^>]*data-csv>(.*?)</textarea>", answer.content.decode(), re.S)
    assert file
    head, *lines = csv.reader(StringIO(html_module.unescape(file[1]).removeprefix("\ufeff")))
    assert head == ["Organization", "Number", "Link", "Expires"]
    assert [line[0] for line in lines] == ['\'=HYPERLINK("x")', "Botica"]
    assert [line[1] for line in lines] == ["55 11 90000-0001", "55 11 98765-4321"]
    for line in lines:
        secret = SECRET.search(line[2])
        link = find_by_secret(secret[1]) if secret else None
        assert link and link.is_open and secret
        assert line[2] in html and secret[1] not in caplog.text
        lasts = link.expires_at - timezone.now()
        assert timedelta(hours=23) < lasts <= timedelta(days=1)
    made = AuditEntry.objects.filter(action="owner_link_made")
    assert made.count() == 2 and not SECRET.search(str(made.values_list("detail", flat=True)))
    assert not SECRET.search(text(client.get(LIST)))


def test_csv_has_semicolons_where_numbers_have_a_decimal_comma() -> None:
    row = {"name": "Botica", "number": "+55 11 98765-4321", "url": "https://x/#a", "expires": "?"}
    for language, separator in (("en", ","), ("pt-br", ";"), ("es", ";")):
        with translation.override(language):
            line = to_csv([row]).splitlines()[1]
        assert line.split(separator) == ["Botica", "55 11 98765-4321", "https://x/#a", "?"]


def test_links_are_refused_one_by_one(client: Client, alice: User, hand: FakeWorker) -> None:
    up, looked_at, fine = unlinked(alice, "Up", "Looked at", "Fine")
    columns = {"desired": Desired.CONNECTED, "state": State.CONNECTED, "worker": hand.worker}
    Connection.objects.filter(pk=up.pk).update(**columns)
    Membership.objects.filter(organization=looked_at.pk).update(role=Membership.Role.VIEWER)
    html = text(post_links(client, [up, looked_at, fine]))
    assert "WhatsApp is already connected" in html and "Your role only allows" in html
    assert list(OwnerLink.objects.values_list("connection", flat=True)) == [fine.pk]
    for lifetime in (0, 60, 86_400 * 30):
        assert post_links(client, [fine], lifetime).status_code == 400
    assert client.get(LINKS).status_code == 405


def test_queue_shows_one_code_after_the_other(
    client: Client, alice: User, hand: FakeWorker
) -> None:
    rows = unlinked(alice, "Álamo", "Beta", "Gamma", "Omega")
    first, up, third, last = rows
    columns = {"desired": Desired.CONNECTED, "state": State.CONNECTED, "worker": hand.worker}
    Connection.objects.filter(pk=up.pk).update(**columns)
    answer = client.post(QUEUE, {"chosen": ids(rows)})
    assert answer.headers["Location"] == queued(rows, first)
    hand.show_code(first)
    html = text(client.get(queued(rows, first)))
    assert "One after the other: <span>1 of 4</span>" in html and "queue.js" in html
    # The second is connected already. The code of the first is withdrawn.
    form = {"chosen": ids(rows), "after": first.pk, "leave": "1"}
    assert client.post(QUEUE, form).headers["Location"] == queued(rows, third)
    first.refresh_from_db()
    assert first.reason == Reason.PAIRING_CANCELLED
    # Nothing is withdrawn from one that is connected, or that goes on.
    form = {"chosen": ids(rows), "after": third.pk}
    assert client.post(QUEUE, form).headers["Location"] == queued(rows, last)
    third.refresh_from_db()
    assert third.state == State.CONNECTING
    form = {"chosen": ids(rows), "after": last.pk, "leave": "stop", "stop": "1"}
    end = client.post(QUEUE, form).headers["Location"]
    html = text(client.get(end))
    assert "4 in the queue: 1 connected, 3 not." in html
    assert f'name="chosen" value="{ids([first, third, last])}"' in html


def test_queue_leaves_others_alone(
    client: Client, alice: User, bob: User, other_organization: Organization, hand: FakeWorker
) -> None:
    (row,) = unlinked(alice, "Alpha")
    foreign = Connection.objects.of(other_organization)
    Membership.objects.create(user=bob, organization=row.organization, role="operator")
    colleague = Client()
    colleague.force_login(bob)
    colleague.post(QUEUE, {"chosen": row.pk})
    answer = client.post(QUEUE, {"chosen": f"{row.pk},{foreign.pk}"})
    assert answer.headers["Location"].startswith(queued([row], row).partition("?")[0])
    # Bob's code stays, and the outsider's organization is not there.
    answer = client.post(QUEUE, {"chosen": f"{row.pk},{foreign.pk}", "after": row.pk, "leave": 1})
    assert "1 in the queue: 0 connected, 1 not." in text(client.get(answer.headers["Location"]))
    row.refresh_from_db()
    foreign.refresh_from_db()
    assert (row.state, foreign.generation) == (State.CONNECTING, 0)
    assert client.get(queued([foreign], foreign)).status_code == 404
    assert client.get(queued([foreign], row)).status_code == 404
