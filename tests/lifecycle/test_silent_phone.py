"""A phone that is off gives no sign while it stays connected, and one when it is on again."""

from __future__ import annotations

from typing import Any

from tests.support.application import Application, until
from tests.support.linking import link

MOVE_LAST_SIGN = """
from datetime import timedelta
from django.utils import timezone
from connections.models import Connection
at = timezone.now() - timedelta(days=12)
Connection.objects.filter(pk={organization}).update(phone_seen_at=at)
"""


def test_silent_phone_is_told_until_it_is_on_again(
    application: Application, organization: int
) -> None:
    number = link(application, organization)

    def status() -> dict[str, Any]:
        return application.api("GET", organization, "status").body

    application.simulator.switch_phone(number, False)
    script = MOVE_LAST_SIGN.format(organization=organization)
    application.manage("shell", "--no-imports", "-c", script)
    silent = until(lambda: (found := status())["phoneSilence"] and found, 5, "the silence")
    assert (silent["state"], silent["phoneSilence"]) == ("connected", "action_needed")
    # WhatsApp takes it, and the phone has a copy, which it does not confirm.
    assert application.api("POST", organization, "test-message").status == 200
    assert status()["phoneLastSeenAt"] == silent["phoneLastSeenAt"]
    application.simulator.switch_phone(number, True)
    heard = until(lambda: (found := status())["phoneSilence"] is None and found, 15, "a sign")
    assert heard["phoneLastSeenAt"] > silent["phoneLastSeenAt"]
    assert heard["nextStep"] == "Nothing to do."
