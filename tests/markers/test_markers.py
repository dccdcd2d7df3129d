"""No secret and no typed text leaves the place where it belongs: a marker is planted in each."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from simulator import process
from tests.markers import evidence
from tests.markers.drive import Driver
from tests.markers.evidence import Channel
from tests.markers.planted import Markers
from tests.markers.table import PLANTED_ON_PURPOSE, Place, expected
from tests.support.application import Application
from tests.support.services import Postgres, Redis

# Each format of the log once, and each kind of installation once.
INSTALLATIONS = {"line": False, "json": True}


@dataclass
class Searched:
    """What was planted in an installation, and all that it left."""

    servers: bool
    markers: Markers
    left: dict[Place, bytes]

    @property
    def found(self) -> evidence.Found:
        return evidence.search(self.markers, self.left)


@pytest.fixture(scope="module", params=INSTALLATIONS)
def searched(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Searched]:
    """An installation that was used with markers in everything, and told to log all it can."""
    servers = INSTALLATIONS[request.param]
    markers = Markers()
    folder = tmp_path_factory.mktemp("markers")
    with ExitStack() as stack:
        simulator = stack.enter_context(process.start(folder / "simulator"))
        environment = {**of_proxy(simulator, markers), "LOG_FORMAT": request.param}
        environment |= of_servers(stack, markers) if servers else {}
        channel = stack.enter_context(Channel(environment["REDIS_URL"])) if servers else None
        running = Application(folder / "application", **environment)
        application = stack.enter_context(running)
        driver = Driver(application, simulator.control, markers)
        stack.callback(driver.end)
        driver.everything()
        token = markers.text("METRICS_TOKEN")
        yield Searched(servers, markers, evidence.gather(application, channel, driver.pages, token))


def of_proxy(simulator: process.Simulator, markers: Markers) -> dict[str, str]:
    """Settings with markers; the way to WhatsApp is a proxy of the operator, with a password."""
    password = markers.new("password of the proxy")
    login = base64.b64encode(f"operator:{password}".encode())
    markers["password of the proxy"] += (login,)
    proxy = simulator.proxy_url.replace("://", f"://operator:{password}@")
    return simulator.environment() | {
        "HTTPS_PROXY": proxy,
        "https_proxy": proxy,
        "WHATSAPP_NOISE_ROOT": simulator.noise_root.hex(),
        "WHATSAPP_SERVER": "live",
        "DJANGO_SETTINGS_MODULE": "tests.markers.settings",
        "LOG_LEVEL": "DEBUG",
        "SECRET_KEY": markers.new("SECRET_KEY"),
        "METRICS_TOKEN": markers.new("METRICS_TOKEN", 20),
        "DATABASE_URL": "",
        "REDIS_URL": "",
    }


def of_servers(stack: ExitStack, markers: Markers) -> dict[str, str]:
    """PostgreSQL and Redis of this test alone, with passwords."""
    postgres = stack.enter_context(Postgres())
    redis = stack.enter_context(Redis(password=markers.new("password of Redis")))
    password = markers.new("password of the database")
    url = postgres.new_database("markers").replace("postgres@", f"postgres:{password}@")
    return {"DATABASE_URL": url, "REDIS_URL": redis.url}


def test_every_marker_is_where_it_belongs_and_nowhere_else(searched: Searched) -> None:
    rows = expected(searched.servers)
    assert searched.markers.keys() == rows.keys()
    wrong = {
        kind: sorted(places ^ rows[kind])
        for kind, places in searched.found.items()
        if places != rows[kind]
    }
    told = {
        f"{kind} in {place}": evidence.excerpts(searched.markers[kind], searched.left[place])
        for kind, places in wrong.items()
        for place in places
    }
    assert wrong == {}, told


def test_search_finds_marker_that_was_leaked_on_purpose(searched: Searched) -> None:
    found = searched.found[PLANTED_ON_PURPOSE]
    assert {Place.LOG, Place.AUDIT, Place.DATABASE, Place.PAGES} <= found
    assert {Place.CHILD_ENVIRONMENT, Place.COMMAND_LINE, Place.FILES} <= found
    assert ({Place.CHANNEL, Place.REDIS} <= found) is searched.servers


@pytest.mark.parametrize("place", Place)
def test_search_finds_marker_in_each_place(place: Place) -> None:
    markers = Markers()
    left = dict.fromkeys(Place, b"nothing")
    left[place] = f"before {markers.new('any')} after".encode()
    assert evidence.search(markers, left) == {"any": frozenset({place})}
