"""Secrets and user inputs occur only where the table allows."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from simulator import process
from tests.markers import output_search
from tests.markers.driver import Driver
from tests.markers.marker_set import Markers
from tests.markers.output_search import Channel
from tests.markers.table import INTENTIONAL_LEAK, Place, expected
from tests.support.application import Application
from tests.support.services import Postgres, Redis

# Each log format and each kind of installation once.
INSTALLATIONS = {"line": False, "json": True}


@dataclass
class SearchedInstallation:
    """The markers and the outputs of an installation."""

    servers: bool
    markers: Markers
    outputs: dict[Place, bytes]

    @property
    def found(self) -> output_search.Found:
        return output_search.search(self.markers, self.outputs)


@pytest.fixture(scope="module", params=INSTALLATIONS)
def searched(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SearchedInstallation]:
    """Yield an installation that was used with markers, at LOG_LEVEL=DEBUG."""
    servers = INSTALLATIONS[request.param]
    markers = Markers()
    folder = tmp_path_factory.mktemp("markers")
    with ExitStack() as stack:
        simulator = stack.enter_context(process.start(folder / "simulator"))
        environment = {**proxy_settings(simulator, markers), "LOG_FORMAT": request.param}
        environment |= server_settings(stack, markers) if servers else {}
        channel = stack.enter_context(Channel(environment["REDIS_URL"])) if servers else None
        running = Application(folder / "application", **environment)
        application = stack.enter_context(running)
        driver = Driver(application, simulator.control, markers)
        stack.callback(driver.end)
        driver.use_everything()
        token = markers.text("METRICS_TOKEN")
        yield SearchedInstallation(
            servers, markers, output_search.gather(application, channel, driver.pages, token)
        )


def proxy_settings(simulator: process.Simulator, markers: Markers) -> dict[str, str]:
    """Return settings with markers and a proxy with a password."""
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
        # Nothing listens there.
        "EMAIL_URL": f"smtp://mail:{markers.new('password of the mail server')}@127.0.0.1:9",
        "SITE_URL": "http://localhost",
        # The receiver of webhooks is on loopback.
        "WEBHOOKS_ALLOW_PRIVATE": "true",
        # So are the proxies of organizations.
        "PROXIES_ALLOW_PRIVATE": "true",
        "PROXIES_ALLOWED_HOSTS": "127.0.0.1",
        "DATABASE_URL": "",
        "REDIS_URL": "",
    }


def server_settings(stack: ExitStack, markers: Markers) -> dict[str, str]:
    """Start PostgreSQL and Redis with passwords. Returns their settings."""
    postgres = stack.enter_context(Postgres())
    redis = stack.enter_context(Redis(password=markers.new("password of Redis")))
    password = markers.new("password of the database")
    url = postgres.new_database("markers").replace("postgres@", f"postgres:{password}@")
    return {"DATABASE_URL": url, "REDIS_URL": redis.url}


def test_markers_occur_only_in_allowed_places(searched: SearchedInstallation) -> None:
    rows = expected(searched.servers)
    assert searched.markers.keys() == rows.keys()
    wrong = {
        kind: sorted(places ^ rows[kind])
        for kind, places in searched.found.items()
        if places != rows[kind]
    }
    messages = {
        f"{kind} in {place}": output_search.excerpts(
            searched.markers[kind], searched.outputs[place]
        )
        for kind, places in wrong.items()
        for place in places
    }
    assert wrong == {}, messages


def test_search_finds_the_intentional_leak(searched: SearchedInstallation) -> None:
    found = searched.found[INTENTIONAL_LEAK]
    assert {Place.LOG, Place.AUDIT, Place.DATABASE, Place.PAGES} <= found
    assert {Place.CHILD_ENVIRONMENT, Place.COMMAND_LINE, Place.FILES} <= found
    assert ({Place.CHANNEL, Place.REDIS} <= found) is searched.servers


@pytest.mark.parametrize("place", Place)
def test_search_finds_marker_in_each_place(place: Place) -> None:
    markers = Markers()
    outputs = dict.fromkeys(Place, b"nothing")
    outputs[place] = f"before {markers.new('any')} after".encode()
    assert output_search.search(markers, outputs) == {"any": frozenset({place})}
