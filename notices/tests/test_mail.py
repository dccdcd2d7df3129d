"""A change becomes a row, and the row a mail."""

import pytest
from django.contrib.auth.models import User

from connections.lifecycle import Reason
from connections.tests.support.fake_worker import FakeWorker
from notices.models import Notice, Trouble
from notices.tests.support.links import happens, link
from notices.tests.support.people import send_all, told_at
from notices.tests.support.servers import MailServer
from organizations.models import Organization

pytestmark = pytest.mark.django_db(transaction=True)

PHONE_UNLINKED = "[Acme] WhatsApp is disconnected: the phone unlinked this device"


def test_unlinked_phone_is_mailed_at_once_and_only_once(
    hand: FakeWorker, organization: Organization, alice: User, mails: MailServer
) -> None:
    told_at(alice)
    happens(link(hand, organization), Reason.LOGGED_OUT_BY_PHONE)
    assert Trouble.objects.get().organization == organization
    send_all()
    send_all()
    assert mails.subjects == [PHONE_UNLINKED]
    mail = mails.mails[0]
    assert mail["To"] == "alice@example.com"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["List-Unsubscribe"].strip().startswith("<https://orgs.example.com/notices/stop/")
    page = f"https://orgs.example.com/admin/connections/connection/{organization.pk}/change/"
    for kind in ("plain", "html"):
        body = mail.get_body((kind,))
        assert body is not None
        assert page in body.get_content()
        assert "Press Reconnect to get a new QR code." in body.get_content()
    assert Notice.objects.get().state == Notice.State.SENT
