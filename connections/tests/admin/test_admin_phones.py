"""What a bulk reconnect offers where phones are needed: owners' links, and one after the other."""

from __future__ import annotations

import csv
import html as html_module
import re
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from connections.actions import make_owner_link
from connections.admin.bulk_links import to_csv
from connections.lifecycle import Desired, Reason, State
from connections.models import BulkRun, Connection, OwnerLink
from connections.owner_link.links import find_by_secret
from connections.tests.support.fake_worker import FakeWorker
from organizations.access import for_user
from organizations.id_sets import format_ids
from organizations.models import AuditEntry, Membership, Organization
from organizations.tests.support.users import member

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
    """Answer the question whose page is loaded now."""
    return client.post(LINKS, form_of(client, rows) | {"lifetime": lifetime})


def form_of(client: Client, rows: list[Connection]) -> dict[str, str]:
    """Return the hidden fields of the question."""
    html = client.post(LINKS, {"chosen": ids(rows)}).content.decode()
    found = dict(re.findall(r'type="hidden" name="(chosen|seen)" value="([^"]*)"', html))
    assert set(found) == {"chosen", "seen"}
    return found


def secrets_in(answer: Any) -> set[str]:
    return set(SECRET.findall(answer.content.decode()))


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
    for seen in ("", "now", "2026-01-01", "2026-01-01T00:00"):
        form = {"chosen": ids([fine]), "lifetime": 86_400, "seen": seen}
        assert client.post(LINKS, form).status_code == 400
    assert client.put(LINKS).status_code == 405


# --- The question --------------------------------------------------------------------------------


def test_question_says_who_gets_a_link_and_who_none(
    client: Client, alice: User, other_organization: Organization, hand: FakeWorker
) -> None:
    up, looked_at, off, banned, tired, fresh, has_one = rows = unlinked(
        alice, "Up", "Looked at", "Off", "Banned", "Tired", "Fresh", "Has one"
    )
    ban = {
        "desired": Desired.CONNECTED,
        "state": State.RECONNECTING,
        "reason": Reason.TEMPORARILY_BANNED,
        "retry_at": timezone.now() + timedelta(hours=3),
    }
    Connection.objects.filter(pk=banned.pk).update(**ban)
    columns = {"desired": Desired.CONNECTED, "state": State.CONNECTED, "worker": hand.worker}
    Connection.objects.filter(pk=up.pk).update(**columns)
    Membership.objects.filter(organization=looked_at.pk).update(role=Membership.Role.VIEWER)
    Organization.objects.filter(pk=off.pk).update(deactivated_at=timezone.now())
    for _ in range(settings.OWNER_LINKS_PER_ORGANIZATION):
        make_owner_link(tired.pk, for_user(alice).actor)
    OwnerLink.objects.update(revoked_at=timezone.now())
    make_owner_link(has_one.pk, for_user(alice).actor)
    made = OwnerLink.objects.count()
    foreign = Connection.objects.of(other_organization)
    pages = [
        client.get(LINKS, {"chosen": ids([*rows, foreign])}),
        client.post(LINKS, {"chosen": ids([*rows, foreign])}),
    ]
    for html in map(text, pages):
        assert "Get a link: 1</summary>" in html and "<li>Fresh</li>" in html
        assert "Have a link that still works: 1" in html and "Has one</a>" in html
        assert "Get no link: 1 <span>WhatsApp is already connected</span>" in html
        assert "Get no link: 1 <span>Your role only allows" in html
        assert "Get no link: 1 <span>This organization is deactivated.</span>" in html
        assert "Get no link: 1 <span>WhatsApp has banned this number until " in html
        assert "Get no link: 1 <span>Too many links in a short time." in html
        assert "1 is no longer yours." in html and "Globex" not in html
        assert '<option value="86400" selected>1 d</option>' in html
        assert "Make 2 links</button>" in html
    assert OwnerLink.objects.count() == made, "asking makes none"


def test_question_names_the_longest_wait_once(client: Client, alice: User) -> None:
    rows = unlinked(alice, "Tired", "As tired")
    for row, minutes in zip(rows, (8, 2.5), strict=True):
        for _ in range(settings.OWNER_LINKS_PER_ORGANIZATION):
            make_owner_link(row.pk, for_user(alice).actor)
        row.owner_links.update(made_at=timezone.now() - timedelta(minutes=minutes))
    html = text(client.post(LINKS, {"chosen": ids(rows)}))
    assert html.count("Get no link: ") == 1
    assert "Get no link: 2 <span>Too many links in a short time. Try again in 7" in html


def test_list_leads_to_the_question_about_exactly_what_is_ticked(
    client: Client, alice: User, bob: User
) -> None:
    rows = unlinked(alice, "Alpha", "Beta", "Gamma")
    assert "Links for owners…</button>" in text(client.get(LIST))
    form = {"action": "bulk_owner_links", "index": 0}
    html = text(client.post(LIST, form | {"_selected_action": [row.pk for row in rows[:2]]}))
    assert f'name="chosen" value="{ids(rows[:2])}"' in html and "Gamma" not in html
    everything = {"select_across": 1, "all_ids": ids(rows), "_selected_action": rows[0].pk}
    assert f'name="chosen" value="{ids(rows)}"' in text(client.post(LIST, form | everything))
    viewer = Client()
    viewer.force_login(bob)
    assert "Links for owners…" not in text(viewer.get(LIST))


def test_list_of_organizations_leads_there_too(client: Client, alice: User, bob: User) -> None:
    page = reverse("admin:organizations_organization_changelist")
    rows = unlinked(alice, "Alpha", "Beta", "Gamma")
    form = {"action": "owner_links", "index": 0, "_selected_action": [rows[0].pk, rows[2].pk]}
    answer = client.post(page, form)
    assert answer.headers["Location"] == f"{LINKS}?chosen={rows[0].pk}%2C{rows[2].pk}"
    html = text(client.get(answer.headers["Location"]))
    assert "Get a link: 2" in html and "Beta" not in html
    viewer = Client()
    viewer.force_login(bob)
    assert "owner_links" not in text(viewer.get(page))


# --- Loading the page of links again -------------------------------------------------------------


def test_page_of_links_loaded_again_keeps_them_and_asks(client: Client, alice: User) -> None:
    rows = unlinked(alice, "Alpha", "Beta")
    form = form_of(client, rows) | {"lifetime": "86400"}
    copied = secrets_in(client.post(LINKS, form))
    assert len(copied) == 2
    again = client.post(LINKS, form)
    html = text(again)
    assert not secrets_in(again) and OwnerLink.objects.count() == 2
    assert all(link.is_open for link in map(find_by_secret, copied) if link)
    assert "The links were made already. Those that you have copied still work." in html
    assert "cannot be shown again" in html and "Link made by alice: 2" in html
    # Only who asks for it gets new ones, after a question that names the links there are.
    html = text(client.post(LINKS, {"chosen": ids(rows)}))
    assert "Have a link that still works: 2" in html and "The new link revokes it" in html
    assert len(secrets_in(post_links(client, rows))) == 2
    assert not any(link.is_open for link in map(find_by_secret, copied) if link)


def test_link_that_a_colleague_made_meanwhile_is_kept(client: Client, alice: User) -> None:
    rows = unlinked(alice, "Alpha", "Beta")
    form = form_of(client, rows) | {"lifetime": "86400"}
    carol = member("carol", rows[0].organization, Membership.Role.OPERATOR)
    _link, secret = make_owner_link(rows[0].pk, for_user(carol).actor)
    answer = client.post(LINKS, form)
    html = text(answer)
    assert len(secrets_in(answer)) == 1
    assert "Made already: 1" in html and "Link made by carol: 2" in html
    assert "were made already" not in html, "one of them is new"
    link = find_by_secret(secret)
    assert link and link.is_open


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
