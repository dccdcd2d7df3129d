"""Read an organization's state from the API and the live page."""

from __future__ import annotations

import json
from typing import Any

from tests.support.application import Application
from tests.support.raw_http import TEXT, RawConnection


def status_of(application: Application, organization: int) -> dict[str, Any]:
    """Return the body of `GET status`."""
    return application.api("GET", organization, "status").body


def events_of(
    application: Application, organization: int, event: str = "", kind: str = "connection"
) -> list[dict[str, Any]]:
    """Return the events, the newest first; all of them, or those of one kind."""
    path = f"/api/v1/organizations/{organization}/events?kind={kind}&pageSize=200"
    lines: list[dict[str, Any]] = application.request("GET", path).body["results"]
    return [line for line in lines if event in ("", line["event"])]


def attempts_of(application: Application, organization: int) -> set[int]:
    """Return the ids of the pairing attempts in the history."""
    lines = events_of(application, organization)
    return {line["attempt"] for line in lines if line["attempt"] is not None}


def snapshot_of(application: Application, organization: int) -> dict[str, Any]:
    """Return the current snapshot of the live page."""
    with RawConnection(application) as raw:
        path = f"/ws/organizations/{organization}/connection/"
        raw.open_websocket(path, application.facts["token"])
        kind, told = raw.frame()
    assert kind == TEXT
    snapshot: dict[str, Any] = json.loads(told)
    return snapshot


def device_numbers(application: Application) -> list[str]:
    """Return the number of each device that is linked at the simulator."""
    return [device["number"] for device in application.simulator.devices()]
