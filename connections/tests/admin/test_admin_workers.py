"""The list of workers: superusers see who holds the sockets, and empty one."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from connections.models import Worker
from connections.tests.support.fake_worker import FakeWorker
from organizations.models import AuditEntry

LIST = "/admin/connections/worker/"


@pytest.fixture
def superuser(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


def ask(client: Client, action: str, worker: Worker, **more: str) -> str:
    chosen = {"action": action, "_selected_action": str(worker.pk), **more}
    return client.post(LIST, chosen, follow=True).content.decode()


def test_only_superusers_see_workers(alice: User, hand: FakeWorker) -> None:
    client = Client()
    client.force_login(alice)
    assert client.get(LIST).status_code == 403
    assert LIST not in client.get("/admin/").content.decode()


def test_list_shows_living_workers_unless_all_are_chosen(
    superuser: Client, hand: FakeWorker
) -> None:
    long_ago = timezone.now() - timedelta(days=1)
    Worker.objects.create(name="gone:1", heartbeat_at=long_ago)
    page = superuser.get(LIST).content.decode()
    assert "hand" in page and "gone:1" not in page
    everything = superuser.get(LIST, {"state": "all"}).content.decode()
    assert "hand" in everything and "Gives no sign of life" in everything


def test_single_worker_cannot_be_drained(
    superuser: Client, hand: FakeWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Worker, "are_shared", lambda: False)
    assert "Drain" not in superuser.get(LIST).content.decode()
    ask(superuser, "drain", hand.worker, confirmed="yes")
    hand.worker.refresh_from_db()
    assert hand.worker.draining_since is None


def test_draining_is_confirmed_shown_and_audited(
    superuser: Client, hand: FakeWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Worker, "are_shared", lambda: True)
    assert "take no new ones" in ask(superuser, "drain", hand.worker)
    hand.worker.refresh_from_db()
    assert hand.worker.draining_since is None
    page = ask(superuser, "drain", hand.worker, confirmed="yes")
    hand.worker.refresh_from_db()
    assert hand.worker.draining_since is not None
    assert "Draining: hand." in page
    assert "Taking organizations again: hand." in ask(superuser, "resume", hand.worker)
    hand.worker.refresh_from_db()
    assert hand.worker.draining_since is None
    noted = AuditEntry.objects.values_list("action", "actor", "detail").order_by("pk")
    assert list(noted) == [
        ("worker_drained", "root", "hand"),
        ("worker_resumed", "root", "hand"),
    ]
