"""A phone unlinks this device, and a mail says so: the product, its worker and a mail server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from notices.tests.support.servers import MailServer, mail_server
from tests.markers.http_browser import HttpBrowser
from tests.support.application import Application, until
from tests.support.linking import link

pytestmark = pytest.mark.servers

SITE, MINE = "https://orgs.example.com", "admin/notices/mine/"


def test_confirmed_address_is_mailed_when_the_phone_unlinks_this_device(tmp_path: Path) -> None:
    with (
        mail_server() as mails,
        Application(
            tmp_path / "application", EMAIL_URL=f"smtp://127.0.0.1:{mails.port}", SITE_URL=SITE
        ) as application,
    ):
        staff = HttpBrowser(application, "tests", [])
        login = {"username": "admin", "password": application.facts["password"]}
        staff.post("admin/login/?next=/admin/notices/mine/", login)
        staff.post(f"{MINE}add/", {"kind": "mail", "target": "admin@example.com"}, form=MINE)
        confirm = path_in(mails, 1, "/notices/confirm/")
        assert staff.post(confirm, {})[0] == 200
        # Told of one organization only: else it would wait a minute for others.
        shown = re.search(r'name="shown" value="(\d+)"', staff.get(MINE)[1])
        assert shown is not None
        hours = {"language": "pt-br", "time_zone": "America/Sao_Paulo", "shown": shown[1]}
        assert staff.post(MINE, hours)[0] == 200
        organization = application.organization()
        page = f"admin/connections/connection/{organization}/notices/"
        address = re.search(rf"/{page}(\d+)/", staff.get(page)[1])
        assert address is not None
        staff.post(f"{page}{address[1]}/", {"told": "yes"}, form=page)
        number = link(application, organization)
        application.simulator.unlink(number=number)
        path_in(mails, 2, f"/{page}".replace("notices/", "change/"))
    subject = mails.subjects[1]
    assert subject.endswith(
        "] O WhatsApp está desconectado: o celular desvinculou este dispositivo"
    )
    assert number not in str(mails.mails[1])


def path_in(mails: MailServer, count: int, start: str) -> str:
    """Wait for so many mails, and return the path in the last one that begins so."""
    until(lambda: len(mails.mails) >= count, 20, "a mail")
    body = mails.mails[-1].get_body(("plain",))
    assert body is not None and len(mails.mails) == count
    found = re.search(rf"{SITE}({re.escape(start)}\S*)", body.get_content())
    assert found is not None, body.get_content()
    return found[1].removeprefix("/")
