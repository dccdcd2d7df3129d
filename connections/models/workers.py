"""The workers, which hold the sockets, and whether they have room."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from enum import StrEnum

from django.db import connection as database
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as lazy


class Workforce(StrEnum):
    """Whether the workers can take a connection that none of them owns."""

    ABSENT = "absent"  # none is alive
    FULL = "full"  # those that are alive take no more, or are being drained
    READY = "ready"

    @classmethod
    def of(cls, alive: Iterable[Worker]) -> Workforce:
        """Return the workforce that these living workers make."""
        room = [worker.has_room for worker in alive]
        if not room:
            return cls.ABSENT
        return cls.READY if any(room) else cls.FULL


class WorkerQuerySet(models.QuerySet["Worker"]):
    def alive(self) -> WorkerQuerySet:
        """Return the workers with a recent heartbeat, by the database's clock."""
        return self.filter(stopped_at=None, heartbeat_at__gte=Now() - Worker.OFFLINE_AFTER)

    def of_earlier_version(self) -> WorkerQuerySet:
        """Return those that do not know all that this version requests of workers."""
        return self.filter(protocol__lt=Worker.PROTOCOL)


class Worker(models.Model):
    """A process that holds sockets. One heartbeat counts for all connections that it owns.

    When the heartbeat is older than OFFLINE_AFTER, other workers may claim its connections. The
    worker then starts again with another row and owns nothing.
    """

    OFFLINE_AFTER = timedelta(seconds=10)
    PROTOCOL = 1
    """What workers know of requests. 1: a logout that is required keeps the credentials."""

    name = models.CharField(max_length=200)
    started_at = models.DateTimeField(lazy("started"), auto_now_add=True)
    heartbeat_at = models.DateTimeField(
        lazy("last sign of life"), default=timezone.now, db_index=True
    )
    stopped_at = models.DateTimeField(lazy("stopped"), null=True, blank=True)
    # With a default in the database: workers of the previous version go on during an upgrade.
    process = models.CharField(
        max_length=100,
        blank=True,
        default="",
        db_default="",
        help_text="Machine, number and start of its process.",
    )
    draining_since = models.DateTimeField(
        lazy("draining since"), null=True, blank=True, help_text="It hands over all that it owns."
    )
    capacity = models.PositiveIntegerField(
        lazy("capacity"),
        default=0,
        db_default=0,
        help_text="How many organizations it takes at most; 0: all there are.",
    )
    sessions = models.PositiveIntegerField(
        lazy("organizations"),
        default=0,
        db_default=0,
        help_text="How many it had at its last sign of life.",
    )
    hosts = models.PositiveIntegerField(
        lazy("host processes"),
        default=0,
        db_default=0,
        help_text="How many it had at its last sign of life.",
    )
    protocol = models.PositiveSmallIntegerField(
        default=PROTOCOL,
        db_default=0,
        help_text="What it knows of requests; workers of earlier versions write none, which is 0.",
    )
    outdated_since = models.DateTimeField(
        null=True, blank=True, help_text="WhatsApp refuses the version of all its clients."
    )

    objects = WorkerQuerySet.as_manager()

    class Meta:
        verbose_name = lazy("worker")
        verbose_name_plural = lazy("workers")

    def __str__(self) -> str:
        return self.name

    @property
    def alive(self) -> bool:
        """Whether its heartbeat is recent."""
        since = timezone.now() - self.OFFLINE_AFTER
        return self.stopped_at is None and self.heartbeat_at >= since

    @property
    def has_room(self) -> bool:
        """Whether it takes one more connection, by its last heartbeat."""
        room = self.capacity == 0 or self.sessions < self.capacity
        return self.draining_since is None and room

    @classmethod
    def are_shared(cls) -> bool:
        """Return whether there can be several: a single worker has nobody to hand over to."""
        return database.vendor != "sqlite"

    @classmethod
    def any_alive(cls) -> bool:
        """Return whether any worker has a recent heartbeat."""
        return cls.objects.alive().exists()

    @classmethod
    def workforce(cls) -> Workforce:
        """Return the workforce of all living workers."""
        return Workforce.of(cls.objects.alive())
