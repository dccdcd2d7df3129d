"""A worker whose writes a test triggers one by one."""

from datetime import timedelta

from django.utils import timezone

from connections import actions
from connections.actions import Fence
from connections.models import Connection, PairingAttempt, Worker

PAIRING_LASTS = timedelta(seconds=200)
CODE_LASTS = timedelta(seconds=60)
NUMBER = "5511987654321"
# Nobody sends heartbeats for it, and a test may take longer than Worker.OFFLINE_AFTER.
HEARTBEAT_LASTS = timedelta(hours=1)
CODE = "https://wa.me/settings/linked_devices#2@a,b,c,d,1"


def nobody(connection_id: int, store: str) -> str:
    """Return "": no phone is linked in any store."""
    return ""


class FakeWorker:
    """A registered worker, with the writes of a real one."""

    def __init__(self, alone: bool = True) -> None:
        self.worker: Worker = actions.start_worker("hand", alone=alone)
        self.live()

    def claim(self, connection: Connection) -> Fence:
        """Claim a connection. Return the fence of its newest request."""
        claimed = actions.claim(connection.pk, self.worker, nobody)
        assert claimed is not None
        return Fence(claimed.pk, claimed.claim, claimed.generation)

    def begin(self, connection: Connection) -> Fence:
        """Start the newest request of a connection."""
        fence = self.claim(connection)
        actions.mark_started(fence)
        return fence

    def start_pairing(self, connection: Connection) -> tuple[Fence, PairingAttempt]:
        fence = self.begin(connection)
        return fence, actions.start_pairing(fence, PAIRING_LASTS)

    def show_code(self, connection: Connection, code: str = CODE) -> tuple[Fence, PairingAttempt]:
        """Pair until the first code can be scanned."""
        fence, attempt = self.start_pairing(connection)
        actions.show_code(fence, attempt.pk, code, 1, 6, CODE_LASTS)
        return fence, attempt

    def link(self, connection: Connection) -> Fence:
        """Pair until a phone is linked."""
        fence, attempt = self.show_code(connection)
        actions.accept_code(fence, attempt.pk)
        actions.link(fence, attempt, NUMBER)
        return fence

    def live(self) -> None:
        """Send a heartbeat with the test's time that counts for long."""
        until = timezone.now() + HEARTBEAT_LASTS
        Worker.objects.filter(pk=self.worker.pk).update(heartbeat_at=until)
        self.worker.heartbeat_at = until

    def die(self) -> None:
        """Make the last heartbeat too old, as after kill -9."""
        long_ago = timezone.now() - 2 * Worker.OFFLINE_AFTER
        Worker.objects.filter(pk=self.worker.pk).update(heartbeat_at=long_ago)


def overdue(attempt: PairingAttempt) -> None:
    """Set the deadline of an attempt to now."""
    PairingAttempt.objects.filter(pk=attempt.pk).update(expires_at=timezone.now())
