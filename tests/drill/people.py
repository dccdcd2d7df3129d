"""The people who are told, each with an address that they have confirmed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.drill.receivers import CHAT, MAIL, Inbox
from tests.markers.http_browser import HttpBrowser
from tests.support.application import Application

MINE = "admin/notices/mine/"
PASSWORD = "drill-drill-drill"
NEW_USER = """
from django.contrib.auth.models import User
from organizations.models import Membership
user = User.objects.create_user({name!r}, password={password!r}, is_staff=True)
Membership.objects.create(user=user, organization_id={organization}, role="viewer")
"""


def add_member(application: Application, name: str, organization: int) -> HttpBrowser:
    """Create a viewer of one organization, and log in as them."""
    script = NEW_USER.format(name=name, password=PASSWORD, organization=organization)
    application.manage("shell", "--no-imports", "-c", script)
    return log_in(application, name, PASSWORD)


def log_in(application: Application, name: str, password: str) -> HttpBrowser:
    """Return a browser that is logged in."""
    browser = HttpBrowser(application, "the drill", [])
    status, page = browser.post(
        f"admin/login/?next=/{MINE}", {"username": name, "password": password}
    )
    assert (status, "notice-target" in page) == (200, True), page
    return browser


def add_mail(browser: HttpBrowser, inbox: Inbox, address: str) -> None:
    """Add a mail address, and confirm it by the link that arrives there."""
    _add(browser, inbox, MAIL, address, address)


def add_chat(browser: HttpBrowser, inbox: Inbox, port: int, name: str) -> None:
    """Add a chat, and confirm it by the link that arrives there."""
    _add(browser, inbox, CHAT, f"json://127.0.0.1:{port}/{name}", name)


def _add(browser: HttpBrowser, inbox: Inbox, kind: str, target: str, to: str) -> None:
    status, page = browser.post(f"{MINE}add/", {"kind": kind, "target": target}, form=MINE)
    assert status == 200, page
    confirm = inbox.wait_for_path(to, "notices/confirm/")
    assert browser.post(confirm, {})[0] == 200


def be_quiet(browser: HttpBrowser) -> None:
    """Choose quiet hours that it is for the whole drill."""
    now = datetime.now(UTC)
    hours = {
        "quiet_from": f"{now - timedelta(hours=1):%H:%M}",
        "quiet_until": f"{now + timedelta(hours=12):%H:%M}",
    }
    fields = {"language": "en", "time_zone": "UTC", **hours}
    assert browser.post(MINE, fields)[0] == 200
