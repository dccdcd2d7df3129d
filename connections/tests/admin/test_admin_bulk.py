"""Bulk actions in admin: the confirmation, the start of a run, and its page."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from connections import actions
from connections.admin.bulk import CONFIRM_ABOVE
from connections.lifecycle import Desired, Reason, State
from connections.models import BulkItem, BulkRun, Connection
from connections.tests.support.fake_worker import FakeWorker
from organizations.id_sets import parse_ids
from organizations.models import Membership, Organization

LIST = reverse("admin:connections_connection_changelist")
BEGIN = reverse("admin:connections_connection_bulk")


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def text(answer: Any) -> str:
    return " ".join(str(answer.content.decode()).split())


def made(user: User, *names: str, **columns: object) -> list[Connection]:
    """Organizations that this user operates, with connections as they are told."""
    found = []
    for name in names:
        organization = Organization.objects.create(name=name)
        Membership.objects.create(
            user=user, organization=organization, role=Membership.Role.OPERATOR
        )
        connection = Connection.objects.of(organization)
        Connection.objects.filter(pk=connection.pk).update(**columns)
        found.append(connection)
    return found


def down(user: User, *names: str) -> list[Connection]:
    """They were linked, and stay down until someone presses Reconnect."""
    columns = {"desired": Desired.CONNECTED, "store_name": "attempt-1"}
    return made(user, *names, state=State.ACTION_NEEDED, reason=Reason.TAKEN_OVER, **columns)


def ask(user: User, action: str, chosen: list[Connection], query: str = "", **more: object) -> Any:
    """Press one of the list's buttons."""
    form = {"action": action, "index": 0, "_selected_action": [row.pk for row in chosen]}
    return browser(user).post(LIST + query, form | more)


def answer(user: User, action: str, chosen: list[Connection], **more: object) -> Any:
    """Say yes to the question."""
    ids = ",".join(str(row.pk) for row in chosen)
    return browser(user).post(BEGIN, {"action": action, "chosen": ids, **more})


def chosen_in(html: str) -> set[int]:
    found = re.search(r'name="chosen" value="([\d,-]*)"', html)
    assert found
    return set(parse_ids(found[1]))


def page(run: BulkRun, action: str = "run") -> str:
    return reverse(f"admin:connections_connection_{action}", args=[run.pk])


# --- The question --------------------------------------------------------------------------------


def test_reconnect_confirmation_lists_each_group(
    connection: Connection, alice: User, hand: FakeWorker
) -> None:
    first = down(alice, "North", "South")
    up = made(
        alice,
        "Up",
        desired=Desired.CONNECTED,
        state=State.CONNECTED,
        worker=hand.worker,
        store_name="attempt-2",
    )
    html = text(ask(alice, "bulk_reconnect", [*first, *up, connection]))
    assert "Reconnect: 2 organizations" in html
    added = "4 ticked: 2 will be reconnected, 1 needs its phone, 1 is connected already."
    assert added in html
    assert "<summary>Reconnect: 2</summary>" in html and "<li>North</li><li>South</li>" in html
    assert "<summary>Needs the phone: 1</summary>" in html
    assert reverse("admin:connections_connection_change", args=[connection.pk]) in html
    assert "Skipped: 1 <span>WhatsApp is already connected.</span>" in html
    assert chosen_in(html) == {row.pk for row in [*first, *up, connection]}
    assert not BulkRun.objects.exists(), "asking begins nothing"


def test_disconnect_confirmation_says_what_is_lost(alice: User) -> None:
    html = text(ask(alice, "bulk_disconnect", down(alice, "North")))
    assert "its credentials saved on this server are deleted" in html
    assert "cannot be undone" in html and "scan a new QR code" in html
    assert 'name="sure"' not in html


def test_many_disconnects_are_confirmed_by_their_number(alice: User) -> None:
    chosen = down(alice, *(f"Shop {number}" for number in range(CONFIRM_ABOVE + 1)))
    assert 'name="sure"' in text(ask(alice, "bulk_disconnect", chosen))
    assert 'name="sure"' not in text(ask(alice, "bulk_reconnect", chosen))
    for wrong in ("", "10", "yes", "110"):
        html = text(answer(alice, "disconnect", chosen, sure=wrong))
        assert 'role="alert">Type 11 to confirm.' in html
    assert not BulkRun.objects.exists()
    assert answer(alice, "disconnect", chosen, sure=" 11 ").status_code == 302
    assert BulkItem.objects.filter(result="waiting").count() == 11


def test_all_matches_can_be_chosen_across_pages(alice: User, admin_user: User) -> None:
    shops = down(alice, *(f"Shop {number:03}" for number in range(110)))
    made(alice, "Never linked")
    state = "?" + urlencode({"state": "action_needed"})
    assert "data-scope" not in text(browser(alice).get(LIST + "?q=Shop 00"))
    html = text(browser(admin_user).get(LIST + state))
    assert "Select all 110 connections" in html
    assert re.search(r'data-scope="on this page" ?>0 of 100 selected', html)
    carried = re.search(r'name="all_ids" value="([^"]*)"', html)
    assert carried and set(parse_ids(carried[1])) == {row.pk for row in shops}
    # Whatever the filter matches by now.
    Connection.objects.filter(pk=shops[0].pk).update(state=State.DISCONNECTED)
    across = {"select_across": 1, "all_ids": carried[1]}
    html = text(ask(admin_user, "bulk_reconnect", shops[:1], state, **across))
    assert "Reconnect: 110 organizations" in html and "Never linked" not in html
    assert "110 ticked: 110 will be reconnected." in html
    assert len(chosen_in(html)) == 110


def test_ticked_connections_count_after_their_state_changed(alice: User, hand: FakeWorker) -> None:
    chosen = down(alice, *(f"Shop {number:03}" for number in range(101)))
    up = {"state": State.CONNECTED, "worker": hand.worker}
    Connection.objects.exclude(pk=chosen[0].pk).update(**up)
    Membership.objects.filter(organization=chosen[1].pk).delete()
    # Neither the filter nor the second page of the list has them any more.
    state = "?" + urlencode({"state": "action_needed", "p": 2})
    html = text(ask(alice, "bulk_reconnect", chosen[:5], state))
    added = "1 will be reconnected, 3 are connected already, 1 is no longer yours"
    assert f"5 ticked: {added}." in html
    assert "Shop 001" not in html
    assert len(chosen_in(html)) == 5
    answer(alice, "reconnect", chosen[:5])
    html = text(browser(alice).get(page(BulkRun.objects.get())))
    added = added.replace("will be reconnected", "waits for its turn")
    assert f"5 ticked: {added}" in html


def test_connection_of_others_cannot_be_chosen(
    alice: User, charlie: User, other_organization: Organization
) -> None:
    theirs = Connection.objects.of(other_organization)
    for html in (
        text(answer(alice, "reconnect", [theirs])),
        text(ask(alice, "bulk_reconnect", [theirs])),
    ):
        assert "There is nothing to do" in html and "Globex" not in html
        assert "1 ticked: 1 is no longer yours." in html
    assert not BulkRun.objects.exists()


def test_confirmation_names_connections_that_may_only_be_viewed(
    alice: User, connection: Connection
) -> None:
    mine = down(alice, "Mine")
    looked_at = down(alice, "Looked at")
    Membership.objects.filter(organization=looked_at[0].pk).update(role=Membership.Role.VIEWER)
    html = text(ask(alice, "bulk_reconnect", [*mine, *looked_at]))
    assert "Skipped: 1 <span>Your role only allows you to look at this organization." in html
    answer(alice, "reconnect", [*mine, *looked_at])
    results = dict(BulkItem.objects.values_list("connection", "result"))
    assert results == {mine[0].pk: "waiting", looked_at[0].pk: "skipped"}


def test_viewer_has_no_bulk_actions(alice: User, bob: User, connection: Connection) -> None:
    assert browser(bob).get(LIST).status_code == 200
    form = {"action": "bulk_disconnect", "index": 0, "_selected_action": connection.pk}
    assert "saved on this server are deleted" not in text(browser(bob).post(LIST, form))


def test_invalid_choice_starts_no_run(alice: User) -> None:
    client, form = browser(alice), {"action": "reconnect", "chosen": ""}
    for empty in ("", ",,"):
        assert "There is nothing to do" in text(client.post(BEGIN, form | {"chosen": empty}))
    for invalid in ("x", "-1", "2-1", "1-2-3", "9" * 400, "1-999999", "١", "1;2"):
        assert client.post(BEGIN, form | {"chosen": invalid}).status_code == 400
    assert client.post(BEGIN, form | {"action": "x"}).status_code == 400
    assert client.get(BEGIN).status_code == 405


def test_form_without_csrf_token_starts_no_run(alice: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    chosen = down(alice, "North")[0]
    form = {"action": "disconnect", "chosen": chosen.pk}
    assert client.post(BEGIN, form).status_code == 403
    assert not BulkRun.objects.exists()


# --- How it goes ---------------------------------------------------------------------------------


@pytest.fixture
def run(alice: User, connection: Connection, hand: FakeWorker) -> BulkRun:
    """Two to reconnect, and one that needs its phone."""
    response = answer(alice, "reconnect", [*down(alice, "North", "South"), connection])
    run = BulkRun.objects.get()
    assert response.headers["Location"] == page(run)
    return run


def test_run_page_shows_each_result(run: BulkRun, alice: User) -> None:
    html = text(browser(alice).get(page(run)))
    assert '<progress max="3" value="1"' in html and "1 of 3" in html
    assert "3 ticked: 2 wait for their turn, 1 needs its phone" in html
    assert html.count("data-item=") == 3 and "has to scan a code" in html
    for item in run.items.all():
        assert reverse("admin:connections_connection_change", args=[item.connection_id]) in html
    assert "style=" not in html and "onclick=" not in html


def test_run_page_without_javascript_reloads_until_the_end(run: BulkRun, alice: User) -> None:
    assert '<noscript><meta http-equiv="refresh"' in text(browser(alice).get(page(run)))
    BulkItem.objects.filter(result="waiting").update(result="done", reason=Reason.RESUMED)
    actions.advance_runs()
    html = text(browser(alice).get(page(run)))
    assert "http-equiv" not in html and "bulk.js" not in html
    assert "Finished" in html and "3 ticked: 2 reconnected, 1 needs its phone" in html


def test_progress_has_the_items_that_changed(run: BulkRun, alice: User) -> None:
    client, address = browser(alice), page(run, "run_progress")
    whole = client.get(address).json()
    assert (whole["done"], whole["total"], whole["ended"]) == (1, 3, False)
    assert len(whole["items"]) == 3 and whole["waiting"] == ""
    last = run.items.order_by("changed_at").last()
    assert last is not None
    later = client.get(address, {"since": last.changed_at.isoformat()}).json()
    assert 0 < len(later["items"]) <= 3
    after = client.get(address, {"since": "2999-01-01T00:00:00+00:00"}).json()
    assert after["items"] == [] and after["done"] == 1
    for nonsense in ("x", "2026-13-45T00:00:00Z", "2026-01-01"):
        assert len(client.get(address, {"since": nonsense}).json()["items"]) == 3


def test_run_page_shows_that_no_worker_runs(run: BulkRun, alice: User, hand: FakeWorker) -> None:
    assert "is not running" not in text(browser(alice).get(page(run)))
    hand.die()
    assert "is not running" in text(browser(alice).get(page(run)))
    assert "is not running" in browser(alice).get(page(run, "run_progress")).json()["waiting"]


def test_run_page_is_for_its_maker_and_superusers(
    run: BulkRun, alice: User, bob: User, charlie: User, admin_user: User
) -> None:
    for name in ("run", "run_progress", "run_stop"):
        for user in (bob, charlie):
            ask = browser(user).post if name == "run_stop" else browser(user).get
            assert ask(page(run, name)).status_code == 404
    for user in (alice, admin_user):
        assert browser(user).get(page(run)).status_code == 200
    assert browser(alice).get(f"{BEGIN}999999/").status_code == 404


def test_run_can_be_stopped(run: BulkRun, alice: User) -> None:
    client = browser(alice)
    assert client.get(page(run, "run_stop")).status_code == 405
    assert client.post(page(run, "run_stop")).headers["Location"] == page(run)
    html = text(client.get(page(run)))
    assert "1 needs its phone, 2 were stopped before their turn" in html
    assert "The run was stopped before its turn." in html
    assert not Connection.objects.filter(state=State.CONNECTING).exists()


def test_run_page_hides_the_name_after_a_lost_membership(run: BulkRun, alice: User) -> None:
    Membership.objects.filter(organization__name="South").delete()
    html = text(browser(alice).get(page(run)))
    assert "North" in html and "South" not in html and "No longer yours" in html


@pytest.mark.parametrize("result", ["failed", "scan"])
def test_run_tells_no_outcome_after_a_lost_membership(
    run: BulkRun, alice: User, result: str
) -> None:
    (south,) = run.items.filter(connection__organization__name="South")
    Membership.objects.filter(organization=south.connection_id).delete()
    run.items.exclude(pk=south.pk).update(result="stopped")
    run.items.filter(pk=south.pk).update(result=result, reason=Reason.RESUMED)
    found = browser(alice).get(page(run, "run_progress")).json()
    (shown,) = (item for item in found["items"] if item["id"] == south.pk)
    assert (shown["result"], shown["resultName"]) == ("skipped", "Skipped")
    counts = "3 ticked: 2 were stopped before their turn, 1 is no longer yours"
    assert (found["counts"], found["phones"]) == (counts, "")


def test_list_links_to_open_runs(run: BulkRun, alice: User, bob: User, admin_user: User) -> None:
    assert page(run) in text(browser(alice).get(LIST))
    for user in (bob, admin_user):
        assert page(run) not in text(browser(user).get(LIST))
    actions.stop_run(run.pk)
    assert page(run) not in text(browser(alice).get(LIST))
