"""Credentials, in folders and on PostgreSQL alike: never mixed up, deleted whole or not at all."""

import threading

import pytest

from connections.stores import store_place
from connections.tests.support.store_backends import Place, database, folders, place, postgres

__all__ = ["database", "folders", "place", "postgres"]

STORE = "attempt-1"


def test_new_store_is_empty(place: Place) -> None:
    address = store_place().create(7, STORE)
    assert address == store_place().database(7, STORE)
    assert place.content() == {(7, STORE)}
    assert not store_place().exists(7, STORE)
    assert store_place().linked_number(7, STORE) == ""


def test_each_store_has_its_own_address(place: Place) -> None:
    found = {
        store_place().database(number, store)
        for number in (1, 11, 111)
        for store in ("attempt-1", "attempt-11", "attempt-111")
    }
    assert len(found) == 9


def test_creating_a_store_removes_its_old_credentials(place: Place) -> None:
    place.link(7, STORE)
    old = store_place().database(7, STORE)
    assert store_place().create(7, STORE) == old
    assert not store_place().exists(7, STORE)
    assert store_place().linked_number(7, STORE) == ""


def test_store_exists_after_it_was_opened(place: Place) -> None:
    assert not store_place().exists(7, STORE)
    place.link(7, STORE)
    assert store_place().exists(7, STORE)
    assert not store_place().exists(8, STORE)
    assert not store_place().exists(7, "")


@pytest.mark.parametrize(
    "jid", ["5511987654321:3@s.whatsapp.net", "5511987654321.0:3@s.whatsapp.net"]
)
def test_linked_number_is_in_digits(place: Place, jid: str) -> None:
    place.link(7, STORE, jid)
    assert store_place().linked_number(7, STORE) == "5511987654321"
    assert store_place().linked_number(8, STORE) == ""


def test_store_without_a_device_has_no_number(place: Place) -> None:
    store_place().create(7, STORE)
    place.write(7, STORE, "CREATE TABLE whatsmeow_device (jid TEXT PRIMARY KEY)")
    assert store_place().linked_number(7, STORE) == ""


def test_missing_store_has_no_number(place: Place) -> None:
    assert store_place().linked_number(7, STORE) == ""
    assert store_place().linked_number(7, "") == ""


def test_stores_are_listed_by_name(place: Place) -> None:
    assert store_place().stores(7) == set()
    place.link(7, "attempt-1")
    place.link(7, "attempt-22")
    place.link(77, "attempt-3")
    assert store_place().stores(7) == {"attempt-1", "attempt-22"}


def test_discard_removes_only_the_named_store(place: Place) -> None:
    place.link(7, "attempt-1")
    place.link(7, "attempt-2")
    store_place().discard(7, "attempt-2")
    store_place().discard(7, "attempt-3")
    assert place.content() == {(7, "attempt-1")}


def test_discard_others_removes_all_but_the_kept_store(place: Place) -> None:
    for store in ("attempt-1", "attempt-2", "attempt-3"):
        place.link(7, store)
    place.link(8, "attempt-9")
    store_place().discard_others(7, {"attempt-2"})
    store_place().discard_others(6, {"attempt-2"})
    assert place.content() == {(7, "attempt-2"), (8, "attempt-9")}
    assert store_place().linked_number(7, "attempt-2")


def test_delete_removes_all_stores_of_one_organization(place: Place) -> None:
    place.link(7, "attempt-1")
    place.link(7, "attempt-2")
    place.link(77, "attempt-3")
    assert store_place().delete(7) is True
    assert place.content() == {(77, "attempt-3")}
    assert store_place().delete(7) is False


def test_delete_without_stores_returns_false(place: Place) -> None:
    assert store_place().delete(7) is False


@pytest.mark.parametrize("number", ["../7", "7/..", "", ".deleted-7", "1e3", '7"; DROP'])
def test_organization_that_is_no_number_raises(place: Place, number: str) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        store_place().database(number, STORE)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="invalid literal"):
        store_place().delete(number)  # type: ignore[arg-type]


def test_simultaneous_changes_keep_organizations_apart(place: Place) -> None:
    """More threads than there are connections, each with an organization of its own."""
    failed: list[BaseException] = []

    def live(number: int) -> None:
        try:
            for attempt in range(3):
                place.link(number, f"attempt-{attempt}", f"{number}{attempt}:1@s.whatsapp.net")
                found = store_place().linked_number(number, f"attempt-{attempt}")
                assert found == f"{number}{attempt}"
                store_place().discard_others(number, {f"attempt-{attempt}"})
            assert store_place().delete(number)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=live, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed and place.content() == set()
