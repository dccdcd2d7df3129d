"""Notices in the metrics: what waits, what was given up, and what is over."""

import pytest
from django.contrib.auth.models import User

from monitoring import exposition, gauges
from monitoring.tests.test_metrics import value, values_of
from monitoring.totals import Totals
from notices.actions import sending
from notices.failures import Failure, SendingFailed
from notices.models import Notice

pytestmark = pytest.mark.django_db


def test_notices_are_counted_while_they_wait_and_when_they_are_over() -> None:
    user = User.objects.create(username="anna")
    rows = [
        Notice.objects.create(user=user, label="anna@example.com", kind="test", lease_owner="me")
        for _ in range(4)
    ]
    sending.record_sent(rows[0], "me")
    sending.record_sent(rows[0], "me")  # Stored twice, counted once.
    sending.record_failure(rows[1], "me", SendingFailed(Failure.MAIL_REFUSED, 550, lasting=True))
    sending.record_failure(rows[2], "me", SendingFailed(Failure.MAIL_UNREACHABLE))
    values = values_of(exposition.text({}, 0, (gauges.read(), Totals(), 0.1)))
    assert value(values, "waiting_notices") == 2
    assert value(values, "failed_notices") == 1
    over = {
        state: value(values, "notices_total", state=state)
        for state in ("sent", "failed", "dropped")
    }
    assert over == {"sent": 1, "failed": 1, "dropped": 0}
