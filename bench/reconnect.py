"""Measure how fast codes appear and phones are linked, several times on one service.

Each function uses new organizations, cancels all pairings at the end and waits until the service
is idle, so that it does not disturb the next measurement.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from bench.linked import decode, first_picture, settle, wait_for_state
from bench.service import Service

REST_SECONDS = 1.0


def one_at_a_time(service: Service, count: int) -> list[float]:
    """Return the milliseconds from each `POST reconnect` to its QR code, one by one."""
    organizations = service.new_organizations(count)
    taken = []
    for organization in organizations:
        answer = service.api("POST", organization, "reconnect")
        assert answer.status == 200 and answer.body["qrCode"], (service.name, answer)
        taken.append(answer.seconds * 1000)
    cancel(service, organizations)
    return taken


def at_once(service: Service, count: int) -> tuple[float, float]:
    """Return the seconds from parallel `POST reconnect` to the last QR code.

    Also returns the number of 202 responses, each followed by another request.
    """
    organizations = service.new_organizations(count)
    with ThreadPoolExecutor(count) as pool:
        started = time.perf_counter()
        answers = list(pool.map(lambda number: first_picture(service, number), organizations))
        taken = time.perf_counter() - started
    assert len({decode(picture) for picture, _ in answers}) == count
    cancel(service, organizations)
    return taken, float(sum(later for _, later in answers))


def code_again(service: Service, count: int) -> list[float]:
    """Return the milliseconds from `DELETE disconnect` during a pairing to the next code."""
    organizations = service.new_organizations(count)
    taken = []
    for organization in organizations:
        first_picture(service, organization)
        taken.append(disconnect_and_reconnect(service, organization))
    cancel(service, organizations)
    return taken


def scanned(service: Service, count: int) -> tuple[list[float], list[float]]:
    """Return the milliseconds from scans to the status connected.

    Also from `DELETE disconnect`, which logs out at WhatsApp, to the next QR code.
    """
    organizations = service.new_organizations(count)
    connected, again = [], []
    for organization in organizations:
        code = decode(first_picture(service, organization)[0])
        started = time.perf_counter()
        service.simulator.scan(code)
        wait_for_state(service, organization, "connected")
        connected.append((time.perf_counter() - started) * 1000)
    settle(service, REST_SECONDS)
    for organization in organizations:
        again.append(disconnect_and_reconnect(service, organization))
    cancel(service, organizations)
    return connected, again


def disconnect_and_reconnect(service: Service, organization: int) -> float:
    """Return the milliseconds from the disconnect to the next QR code."""
    started = time.perf_counter()
    answer = service.api("DELETE", organization, "disconnect")
    assert answer.status == 200, (service.name, answer)
    first_picture(service, organization)
    return (time.perf_counter() - started) * 1000


def cancel(service: Service, organizations: list[int]) -> None:
    """Cancel all pairings, and wait until the service is idle."""
    for organization in organizations:
        answer = service.api("POST", organization, "cancel")
        assert answer.status == 200, (service.name, answer)
    settle(service, REST_SECONDS)
