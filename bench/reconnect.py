"""How fast codes come and phones are linked: each function measures one service, some times.

Fresh organizations in every one of them. What was under way at the end is cancelled, and the
service is at rest again, so that it is in nobody's way while another one is measured.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from bench.linked import decode, first_picture, settle, wait_for_state
from bench.service import Service

REST_SECONDS = 1.0


def one_at_a_time(service: Service, count: int) -> list[float]:
    """Milliseconds from `POST reconnect` to the answer with a QR code, one after the other."""
    organizations = service.new_organizations(count)
    taken = []
    for organization in organizations:
        answer = service.api("POST", organization, "reconnect")
        assert answer.status == 200 and answer.body["qrCode"], (service.name, answer)
        taken.append(answer.seconds * 1000)
    cancel(service, organizations)
    return taken


def at_once(service: Service, count: int) -> tuple[float, float]:
    """Seconds from the first of many `POST reconnect` at once to the last answer with a QR code.

    Also, how many answers were a 202, after which it was asked again.
    """
    organizations = service.new_organizations(count)
    with ThreadPoolExecutor(count) as pool:
        begun = time.perf_counter()
        answers = list(pool.map(lambda number: first_picture(service, number), organizations))
        taken = time.perf_counter() - begun
    assert len({decode(picture) for picture, _ in answers}) == count
    cancel(service, organizations)
    return taken, float(sum(later for _, later in answers))


def code_again(service: Service, count: int) -> list[float]:
    """Milliseconds from `DELETE disconnect` to the next QR code, while one is shown."""
    organizations = service.new_organizations(count)
    taken = []
    for organization in organizations:
        first_picture(service, organization)
        taken.append(disconnect_and_reconnect(service, organization))
    cancel(service, organizations)
    return taken


def scanned(service: Service, count: int) -> tuple[list[float], list[float]]:
    """Milliseconds from the phone's scan until the status says connected.

    Then, from `DELETE disconnect`, which logs out at WhatsApp, to the next QR code.
    """
    organizations = service.new_organizations(count)
    connected, again = [], []
    for organization in organizations:
        code = decode(first_picture(service, organization)[0])
        begun = time.perf_counter()
        service.simulator.scan(code)
        wait_for_state(service, organization, "connected")
        connected.append((time.perf_counter() - begun) * 1000)
    settle(service, REST_SECONDS)
    for organization in organizations:
        again.append(disconnect_and_reconnect(service, organization))
    cancel(service, organizations)
    return connected, again


def disconnect_and_reconnect(service: Service, organization: int) -> float:
    """Milliseconds for both, to the answer with the QR code."""
    begun = time.perf_counter()
    answer = service.api("DELETE", organization, "disconnect")
    assert answer.status == 200, (service.name, answer)
    first_picture(service, organization)
    return (time.perf_counter() - begun) * 1000


def cancel(service: Service, organizations: list[int]) -> None:
    """End every pairing, and wait until the service is at rest."""
    for organization in organizations:
        answer = service.api("POST", organization, "cancel")
        assert answer.status == 200, (service.name, answer)
    settle(service, REST_SECONDS)
