"""Moving credentials between folders and PostgreSQL: all of them, or nothing has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from pytest_django import Settings

from connections import actions, lock
from connections.stores.folder_copies import FolderCopies
from connections.stores.moving import CopyPlace, NotMoved, digest, move
from connections.stores.schema_copies import SchemaCopies
from connections.tests.support.store_backends import DatabasePlace, database, postgres
from connections.worker.hosts.store_template import StorePreparer

__all__ = ["database", "postgres"]

pytestmark = pytest.mark.sqlite_only

STORE, OTHER = "attempt-3", "attempt-12"
JID = "5511987654321:3@s.whatsapp.net"
EVERY_BYTE = bytes(range(256))
STEPS = ("prepare", "aside", "tables", "publish", "delete")

Places = dict[str, CopyPlace]


@pytest.fixture(scope="module")
def prepare() -> Iterator[StorePreparer]:
    with StorePreparer() as running:
        yield running


@pytest.fixture
def places(tmp_path: Path, database: DatabasePlace) -> Iterator[Places]:
    found: Places = {
        "folders": FolderCopies(tmp_path / "auth_sessions"),
        "database": SchemaCopies(database.url),
    }
    yield found
    for place in found.values():
        place.close()


def write(place: CopyPlace, organization: int, store: str, prekeys: int = 900) -> None:
    """A store as whatsmeow leaves it: its own tables, and every type in them."""
    with StorePreparer() as prepare:
        assert prepare(place.create(organization, store)) == ""
    content: dict[str, list[dict[str, Any]]] = {
        "whatsmeow_device": [
            {
                "jid": JID,
                "lid": None,
                "facebook_uuid": "6a0b1f6e-8f2d-4a53-9d7a-000000000001",
                "registration_id": 4294967295,
                "noise_key": bytes(32),
                "identity_key": EVERY_BYTE[-32:],
                "signed_pre_key": EVERY_BYTE[:32],
                "signed_pre_key_id": 1,
                "signed_pre_key_sig": EVERY_BYTE[:64],
                "adv_key": EVERY_BYTE,
                "adv_details": b"",
                "adv_account_sig": bytes(64),
                "adv_account_sig_key": bytes(32),
                "adv_device_sig": bytes(64),
                "push_name": "João \\N 'quoted' \t 🙂\n",
            }
        ],
        "whatsmeow_pre_keys": [
            {"jid": JID, "key_id": key, "key": key.to_bytes(32), "uploaded": key % 2}
            for key in range(prekeys)
        ],
        "whatsmeow_sessions": [
            {"our_jid": JID, "their_id": "1.0:1", "session": None},
            {"our_jid": JID, "their_id": "2.0:1", "session": EVERY_BYTE * 40},
        ],
        "whatsmeow_app_state_version": [
            {"jid": JID, "name": "regular", "version": 2**63 - 1, "hash": bytes(128)}
        ],
        "whatsmeow_app_state_mutation_macs": [
            {
                "jid": JID,
                "name": "regular",
                "version": 5,
                "index_mac": EVERY_BYTE[:32],
                "value_mac": bytes(range(91, 123)),
            }
        ],
        "whatsmeow_chat_settings": [
            {"our_jid": JID, "chat_jid": "g", "muted_until": -1, "pinned": 1, "archived": 0}
        ],
    }
    with place.tables(organization, store) as tables:
        for table, rows in content.items():
            columns = list(rows[0])
            tables.fill(table, columns, (list(row.values()) for row in rows))


def spoil(place: CopyPlace, organization: int, store: str, key: int) -> None:
    """What a session does to its store while it is used."""
    with place.tables(organization, store) as tables:
        columns = ["jid", "key_id", "key", "uploaded"]
        tables.fill("whatsmeow_pre_keys", columns, iter([(JID, key, bytes(32), 1)]))


def told(place: CopyPlace, organization: int, store: str) -> str:
    with place.tables(organization, store) as tables:
        return digest(tables)[0]


def both(places: Places, to: str) -> tuple[CopyPlace, CopyPlace]:
    source, target = sorted(places, key=lambda name: name == to)
    return places[source], places[target]


@pytest.mark.parametrize("to", ["database", "folders"])
def test_everything_arrives_and_nothing_stays(
    places: Places, prepare: StorePreparer, to: str
) -> None:
    source, target = both(places, to)
    write(source, 7, STORE)
    write(source, 7, OTHER, prekeys=1)
    source.create(7, "attempt-99")
    write(source, 77, STORE)
    old = {store: told(source, 7, store) for store in (STORE, OTHER)}
    moved = move(7, source, target, prepare)
    assert (moved.stores, moved.rows) == (2, 900 + 7 + 1 + 7)
    assert target.stores(7) == {STORE, OTHER}
    assert {store: told(target, 7, store) for store in (STORE, OTHER)} == old
    assert target.linked_number(7, STORE) == "5511987654321"
    assert source.organizations() == {77}


@pytest.mark.parametrize("to", ["database", "folders"])
def test_there_and_back_is_the_same(places: Places, prepare: StorePreparer, to: str) -> None:
    source, target = both(places, to)
    write(source, 7, STORE)
    old = told(source, 7, STORE)
    move(7, source, target, prepare)
    move(7, target, source, prepare)
    assert told(source, 7, STORE) == old
    assert target.organizations() == set()


class Killed(BaseException):
    """The process ended here."""


class Mortal:
    """A place, or what prepares stores, that ends the process before or after one of its steps."""

    def __init__(self, real: Any, step: Callable[[], None]) -> None:
        self._real, self._step = real, step

    def __call__(self, address: str) -> str:
        self._step()
        answer = str(self._real(address))
        self._step()
        return answer

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if name not in STEPS:
            return found

        def mortal(*arguments: Any, **options: Any) -> Any:
            self._step()
            answer = found(*arguments, **options)
            self._step()
            return answer

        return mortal


@pytest.mark.parametrize("to", ["database", "folders"])
def test_ended_at_any_step_one_place_has_everything(
    places: Places, prepare: StorePreparer, to: str
) -> None:
    source, target = both(places, to)
    write(source, 7, STORE, prekeys=20)
    write(source, 7, OTHER, prekeys=10)
    old = {store: told(source, 7, store) for store in (STORE, OTHER)}
    survived, deaths = False, 0
    while not survived:
        left = [deaths]

        def step(left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise Killed

        mortal_source: Any = Mortal(source, step)
        mortal_target: Any = Mortal(target, step)
        try:
            move(7, mortal_source, mortal_target, Mortal(prepare, step))
            survived = True
        except Killed:
            deaths += 1
        whole = [
            place
            for place in (source, target)
            if place.stores(7) == set(old)
            and {store: told(place, 7, store) for store in old} == old
        ]
        assert whole, f"lost when it was ended at step {deaths}"
        if target in whole and not survived:
            # What was in both places goes on where it was found; the steps before it are known.
            assert source.stores(7) in (set(), set(old))
    assert deaths >= 10, "it never was in danger"
    assert target.stores(7) == set(old) and source.stores(7) == set()


@pytest.mark.parametrize("to", ["database", "folders"])
def test_a_second_run_takes_what_was_used_since(
    places: Places, prepare: StorePreparer, to: str
) -> None:
    """The first one ended before the old ones were gone, and the service ran in between."""
    source, target = both(places, to)

    def interrupted() -> None:
        write(source, 7, STORE, prekeys=5)
        mortal: Any = Mortal(source, lambda: None)
        mortal.delete = lambda organization: (_ for _ in ()).throw(Killed())
        with pytest.raises(Killed):
            move(7, mortal, target, prepare)

    interrupted()
    spoil(source, 7, STORE, 1000)
    newer = told(source, 7, STORE)
    move(7, source, target, prepare)
    assert told(target, 7, STORE) == newer, "the old place was used"

    target.delete(7)
    interrupted()
    spoil(target, 7, STORE, 2000)
    newer = told(target, 7, STORE)
    move(7, source, target, prepare)
    assert told(target, 7, STORE) == newer, "the new place was used"

    target.delete(7)
    interrupted()
    spoil(source, 7, STORE, 3000)
    spoil(target, 7, STORE, 4000)
    with pytest.raises(NotMoved, match="both were used"):
        move(7, source, target, prepare)
    assert source.stores(7) == target.stores(7) == {STORE}


@pytest.mark.parametrize("to", ["database", "folders"])
def test_a_copy_that_is_not_the_same_is_not_shown(
    places: Places, prepare: StorePreparer, to: str
) -> None:
    source, target = both(places, to)
    write(source, 7, STORE, prekeys=5)

    def used_meanwhile(address: str) -> str:
        answer = prepare(address)
        if address != source.database(7, STORE):
            spoil(source, 7, STORE, 1000)
        return answer

    with pytest.raises(NotMoved, match="in use"):
        move(7, source, target, used_meanwhile)
    assert target.organizations() == set() and source.stores(7) == {STORE}


@pytest.mark.parametrize("to", ["database", "folders"])
def test_who_is_not_alone_any_more_harms_nothing(
    places: Places, prepare: StorePreparer, to: str
) -> None:
    """A worker that starts in the middle may have opened the old ones."""
    source, target = both(places, to)
    write(source, 7, STORE, prekeys=5)
    old = told(source, 7, STORE)
    for steps in (0, 1):
        left = iter(range(steps))

        def alone(left: Iterator[int] = left) -> None:
            if next(left, None) is None:
                raise Killed

        with pytest.raises(Killed):
            move(7, source, target, prepare, alone)
        assert told(source, 7, STORE) == old
    move(7, source, target, prepare)
    assert told(target, 7, STORE) == old and source.stores(7) == set()


# --- The command -------------------------------------------------------------------------------


@pytest.fixture
def configured(places: Places, database: DatabasePlace, settings: Settings) -> Places:
    folders = places["folders"]
    assert isinstance(folders, FolderCopies)
    settings.AUTH_SESSIONS_DIR = folders.root
    return places


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("move_auth_sessions", *arguments, stdout=out, stderr=out)
    return out.getvalue()


@pytest.mark.django_db
def test_the_command_moves_all_or_the_named(configured: Places) -> None:
    for number in (1, 2, 3):
        write(configured["folders"], number, STORE, prekeys=number)
    assert "1 of 1 organizations moved" in run("--to", "database", "--organization", "2")
    assert configured["folders"].organizations() == {1, 3}
    done = run("--to", "database")
    assert "organization 3: 1 stores" in done and "2 of 2 organizations moved" in done
    assert configured["database"].organizations() == {1, 2, 3}
    assert "3 of 3" in run("--to", "folders")
    assert configured["database"].organizations() == set()
    assert "5511987654321" not in done


@pytest.mark.django_db
def test_a_damaged_store_stays_and_the_others_move(configured: Places) -> None:
    for number in (1, 2):
        write(configured["folders"], number, STORE, prekeys=1)
    path = Path(configured["folders"].database(1, STORE))
    path.write_bytes(b"no database at all " * 100)
    with pytest.raises(CommandError, match="Not everything was moved"):
        run("--to", "database")
    assert configured["folders"].organizations() == {1} and path.exists()
    assert configured["database"].organizations() == {2}


@pytest.mark.django_db
def test_the_command_refuses_while_a_worker_lives(configured: Places) -> None:
    write(configured["folders"], 1, STORE, prekeys=1)
    worker = actions.start_worker("machine:1")
    with pytest.raises(CommandError, match="The worker machine:1 is running"):
        run("--to", "database")
    assert configured["folders"].organizations() == {1}
    actions.stop_worker(worker)
    with (
        lock.exclusive(Path(django_settings.DATA_DIR) / "worker.lock"),
        pytest.raises(CommandError, match="another move is running"),
    ):
        run("--to", "database")
    run("--to", "database")
    assert configured["folders"].organizations() == set()


@pytest.mark.django_db
def test_the_command_wants_to_know_which_postgresql(settings: Settings) -> None:
    settings.AUTH_SESSIONS_URL = ""
    with pytest.raises(CommandError, match="Set DATABASE_URL or AUTH_SESSIONS_URL"):
        run("--to", "database")


@pytest.mark.django_db
def test_a_database_that_is_away_leaves_everything_as_it_was(
    configured: Places, settings: Settings
) -> None:
    write(configured["folders"], 1, STORE, prekeys=1)
    secret = "hunter2hunter2"
    settings.AUTH_SESSIONS_URL = f"postgres://me:{secret}@127.0.0.1:1/nothing"
    with pytest.raises(CommandError, match="Nothing is lost") as told_so:
        run("--to", "database")
    assert secret not in str(told_so.value)
    assert configured["folders"].linked_number(1, STORE)
