"""What both store backends do: organizations stay apart, stores are deleted as a whole."""

import threading

import pytest

from connections.stores import store_backend
from connections.tests.support.store_backends import Stores, database, folders, postgres, stores

__all__ = ["database", "folders", "stores", "postgres"]

STORE = "attempt-1"


def test_new_store_is_empty(stores: Stores) -> None:
    address = store_backend().create(7, STORE)
    assert address == store_backend().database(7, STORE)
    assert stores.content() == {(7, STORE)}
    assert not store_backend().exists(7, STORE)
    assert store_backend().linked_number(7, STORE) == ""


def test_each_store_has_its_own_address(stores: Stores) -> None:
    found = {
        store_backend().database(number, store)
        for number in (1, 11, 111)
        for store in ("attempt-1", "attempt-11", "attempt-111")
    }
    assert len(found) == 9


def test_creating_a_store_removes_its_old_credentials(stores: Stores) -> None:
    stores.link(7, STORE)
    old = store_backend().database(7, STORE)
    assert store_backend().create(7, STORE) == old
    assert not store_backend().exists(7, STORE)
    assert store_backend().linked_number(7, STORE) == ""


def test_store_exists_after_it_was_opened(stores: Stores) -> None:
    assert not store_backend().exists(7, STORE)
    stores.link(7, STORE)
    assert store_backend().exists(7, STORE)
    assert not store_backend().exists(8, STORE)
    assert not store_backend().exists(7, "")


@pytest.mark.parametrize(
    "jid", ["5511987654321:3@s.whatsapp.net", "5511987654321.0:3@s.whatsapp.net"]
)
def test_linked_number_is_in_digits(stores: Stores, jid: str) -> None:
    stores.link(7, STORE, jid)
    assert store_backend().linked_number(7, STORE) == "5511987654321"
    assert store_backend().linked_number(8, STORE) == ""


def test_store_without_a_device_has_no_number(stores: Stores) -> None:
    store_backend().create(7, STORE)
    stores.write(7, STORE, "CREATE TABLE whatsmeow_device (jid TEXT PRIMARY KEY)")
    assert store_backend().linked_number(7, STORE) == ""


def test_missing_store_has_no_number(stores: Stores) -> None:
    assert store_backend().linked_number(7, STORE) == ""
    assert store_backend().linked_number(7, "") == ""


def test_stores_are_listed_by_name(stores: Stores) -> None:
    assert store_backend().stores(7) == set()
    stores.link(7, "attempt-1")
    stores.link(7, "attempt-22")
    stores.link(77, "attempt-3")
    assert store_backend().stores(7) == {"attempt-1", "attempt-22"}


def test_discard_removes_only_the_named_store(stores: Stores) -> None:
    stores.link(7, "attempt-1")
    stores.link(7, "attempt-2")
    store_backend().discard(7, "attempt-2")
    store_backend().discard(7, "attempt-3")
    assert stores.content() == {(7, "attempt-1")}


def test_discard_others_removes_all_but_the_kept_store(stores: Stores) -> None:
    for store in ("attempt-1", "attempt-2", "attempt-3"):
        stores.link(7, store)
    stores.link(8, "attempt-9")
    store_backend().discard_others(7, {"attempt-2"})
    store_backend().discard_others(6, {"attempt-2"})
    assert stores.content() == {(7, "attempt-2"), (8, "attempt-9")}
    assert store_backend().linked_number(7, "attempt-2")


def test_delete_removes_all_stores_of_one_organization(stores: Stores) -> None:
    stores.link(7, "attempt-1")
    stores.link(7, "attempt-2")
    stores.link(77, "attempt-3")
    assert store_backend().delete(7) is True
    assert stores.content() == {(77, "attempt-3")}
    assert store_backend().delete(7) is False


def test_delete_without_stores_returns_false(stores: Stores) -> None:
    assert store_backend().delete(7) is False


@pytest.mark.parametrize("number", ["../7", "7/..", "", ".deleted-7", "1e3", '7"; DROP'])
def test_organization_that_is_no_number_raises(stores: Stores, number: str) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        store_backend().database(number, STORE)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="invalid literal"):
        store_backend().delete(number)  # type: ignore[arg-type]


def test_simultaneous_changes_keep_organizations_apart(stores: Stores) -> None:
    """More threads than pooled connections, each with its own organization."""
    failed: list[BaseException] = []

    def use_stores(number: int) -> None:
        try:
            for attempt in range(3):
                stores.link(number, f"attempt-{attempt}", f"{number}{attempt}:1@s.whatsapp.net")
                found = store_backend().linked_number(number, f"attempt-{attempt}")
                assert found == f"{number}{attempt}"
                store_backend().discard_others(number, {f"attempt-{attempt}"})
            assert store_backend().delete(number)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=use_stores, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed and stores.content() == set()
