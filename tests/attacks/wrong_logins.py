"""Many wrong logins at once, and how long an API status takes meanwhile.

`python -m tests.attacks.wrong_logins` prints both, and what the logins were answered.
"""

from __future__ import annotations

import http.client
import re
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from tests.support.application import Application

LOGINS = 120
# As from many networks: the limit for one would end the attack early.
ENVIRONMENT = {"LOGIN_ATTEMPTS_PER_NETWORK": "1000"}
SECONDS = 120.0
# The pause between requests.
PAUSE_SECONDS = 0.2


@dataclass(frozen=True)
class Outcome:
    """Responses to the logins, and seconds of status requests without and with them."""

    seconds: float
    answers: Counter[int]
    alone: list[float]
    meanwhile: list[float]


def attack(application: Application) -> Outcome:
    """Send parallel logins and status requests. Returns the outcome."""
    cookie, token = _form(application)
    alone = [_status(application) for _ in range(5)]
    begin = threading.Barrier(LOGINS + 1)

    def log_in(number: int) -> int:
        begin.wait(SECONDS)
        return _log_in(application, f"nobody{number}", cookie, token)

    meanwhile = []
    with ThreadPoolExecutor(LOGINS) as pool:
        logins = [pool.submit(log_in, number) for number in range(LOGINS)]
        begin.wait(SECONDS)
        started = time.monotonic()
        while not all(login.done() for login in logins):
            meanwhile.append(_status(application))
            time.sleep(PAUSE_SECONDS)
        seconds = time.monotonic() - started
        return Outcome(seconds, Counter(login.result() for login in logins), alone, meanwhile)


def _connect(application: Application) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(application.url).netloc, timeout=SECONDS)


def _form(application: Application) -> tuple[str, str]:
    """Return a CSRF cookie and the token that goes with it."""
    connection = _connect(application)
    connection.request("GET", "/admin/login/")
    answer = connection.getresponse()
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', answer.read().decode())
    cookie = answer.headers["Set-Cookie"].partition(";")[0]
    connection.close()
    assert found is not None
    return cookie, found[1]


def _log_in(application: Application, name: str, cookie: str, token: str) -> int:
    """Return the status of a login with a wrong password."""
    body = urlencode({"csrfmiddlewaretoken": token, "username": name, "password": "wrong"})
    headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
    connection = _connect(application)
    try:
        connection.request("POST", "/admin/login/", body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


def _status(application: Application) -> float:
    """Return how many seconds an API status takes."""
    answer = application.request(
        "GET",
        f"/api/v1/organizations/{application.organization()}/whatsapp/status",
        timeout=SECONDS,
    )
    assert answer.status == 200, answer
    return answer.seconds


def main() -> None:
    """Attack a server that is started for it, and print a table."""
    with (
        tempfile.TemporaryDirectory(prefix="attack-") as folder,
        Application(Path(folder) / "data", (), **ENVIRONMENT) as application,
    ):
        found = attack(application)
    print(f"{LOGINS} wrong logins at once, answered within {found.seconds:.1f} s")
    for status, number in sorted(found.answers.items()):
        print(f"  answered {status}          {number:8d}")
    print(f"  status alone, longest {max(found.alone) * 1000:8.0f} ms")
    print(f"  meanwhile, longest    {max(found.meanwhile) * 1000:8.0f} ms")
    print(f"  statuses meanwhile    {len(found.meanwhile):8d}")


if __name__ == "__main__":
    main()
