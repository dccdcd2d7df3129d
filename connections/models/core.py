"""The models of a connection: its desired and actual state, its attempts and its events."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as lazy

from connections.detail_messages import translate_detail
from connections.lifecycle import Desired, Reason, State
from connections.models import conditions
from connections.models.workers import Worker
from connections.reason_texts import REASON_TEXTS, ReasonText
from organizations.models import ACTOR_LENGTH, ApiToken, Organization

DETAIL_LENGTH = 300


STATE_NAMES = {
    State.DISCONNECTED: lazy("Disconnected"),
    State.CONNECTING: lazy("Connecting"),
    State.AWAITING_SCAN: lazy("Waiting for the phone"),
    State.CONNECTED: lazy("Connected"),
    State.RECONNECTING: lazy("Reconnecting"),
    State.ACTION_NEEDED: lazy("Needs action"),
}


def choices(of: type[Desired] | type[State]) -> list[tuple[str, str]]:
    return [(str(item), item.replace("_", " ").capitalize()) for item in of]


class Method(models.TextChoices):
    """How a phone is linked."""

    QR = "qr", lazy("QR code")
    PHONE = "phone", lazy("Code typed on the phone")


class ConnectionManager(models.Manager["Connection"]):
    def of(self, organization: Organization) -> Connection:
        """Return the organization's connection; create it when first read."""
        connection, _ = self.select_related("worker").get_or_create(organization=organization)
        connection.organization = organization
        return connection

    def busy(self) -> models.QuerySet[Connection]:
        """Return the connections that need a worker."""
        return self.filter(conditions.NEEDS_WORKER)

    def pairing(self) -> models.QuerySet[Connection]:
        """Return the connections for which a phone is being linked (`is_pairing`)."""
        return self.filter(conditions.IS_PAIRING, desired=Desired.CONNECTED)

    def create_missing(self, organizations: models.QuerySet[Organization]) -> None:
        """Create the missing connections of these organizations, so that a list shows them all."""
        without = organizations.filter(connection=None)
        missing = [self.model(organization=organization) for organization in without]
        self.bulk_create(missing, ignore_conflicts=True)


class Connection(models.Model):
    """One organization's WhatsApp link. Only `actions` writes it."""

    organization = models.OneToOneField(
        Organization, on_delete=models.CASCADE, primary_key=True, related_name="connection"
    )
    desired = models.CharField(
        max_length=20, choices=choices(Desired), default=Desired.DISCONNECTED.value
    )
    generation = models.PositiveBigIntegerField(
        default=0, help_text="Raised by each request; a write for an older one changes nothing."
    )
    started_generation = models.PositiveBigIntegerField(
        default=0, help_text="The newest request that the worker has begun to carry out."
    )
    state = models.CharField(
        max_length=20, choices=choices(State), default=State.DISCONNECTED.value
    )
    reason = models.CharField(max_length=40, default=Reason.NEVER_CONNECTED.value)
    detail = models.CharField(max_length=DETAIL_LENGTH, blank=True)
    since = models.DateTimeField(default=timezone.now)
    retry_at = models.DateTimeField(
        null=True, blank=True, help_text="When it is tried again by itself, if that is known."
    )
    number = models.CharField(max_length=20, blank=True, help_text="Digits only.")
    last_number = models.CharField(
        max_length=20,
        blank=True,
        db_default="",
        help_text="Digits of the last linked phone, also after its end.",
    )
    store_name = models.CharField(
        max_length=50, blank=True, help_text="Where the credentials lie, inside the folder."
    )
    logout_pending = models.BooleanField(
        default=False, help_text="A disconnect was requested and its clean-up is not done yet."
    )
    logout_required = models.BooleanField(
        default=False,
        db_default=False,
        help_text="That disconnect keeps the credentials and tries on until WhatsApp confirms it.",
    )
    requested_by = models.CharField(max_length=ACTOR_LENGTH, blank=True)
    requested_method = models.CharField(
        max_length=10, choices=Method.choices, default=Method.QR.value
    )
    requested_number = models.CharField(
        max_length=20, blank=True, help_text="Digits of the phone that types the code."
    )
    fresh_code = models.BooleanField(
        default=False,
        db_default=False,
        help_text="A new code was requested while the saved login is kept until a phone is linked.",
    )
    phone_seen_at = models.DateTimeField(
        null=True, help_text="The last sign of the phone itself; empty: none is known."
    )
    phone_silence_told = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="The days of silence that were announced last."
    )
    worker = models.ForeignKey(Worker, on_delete=models.SET_NULL, null=True, blank=True)
    claim = models.PositiveBigIntegerField(
        default=0, help_text="Raised by each change of owner; only the newest may write."
    )

    # Not stored: the attempt that a request has just ended.
    replaced_attempt: PairingAttempt | None = None

    objects = ConnectionManager()

    class Meta:
        verbose_name = lazy("connection")
        verbose_name_plural = lazy("connections")
        constraints = [
            models.UniqueConstraint(
                fields=["number"],
                condition=~models.Q(store_name="") & ~models.Q(number=""),
                name="one_organization_per_linked_number",
            )
        ]

    def __str__(self) -> str:
        return f"Connection of {self.organization}"

    @property
    def reason_text(self) -> ReasonText:
        """The texts of its reason."""
        return REASON_TEXTS[Reason(self.reason)]

    @property
    def translated_detail(self) -> str:
        """The detail in the reader's language."""
        return translate_detail(self.detail)

    @property
    def home_number(self) -> str:
        """The number (digits) in whose country phones are most likely; "" if none is known."""
        return self.organization.expected_number or self.last_number or self.requested_number

    @property
    def has_worker(self) -> bool:
        """Whether a living worker owns it, or will claim it for the request that waits."""
        return self.owned or conditions.has_worker(self, Worker.workforce())

    @property
    def owned(self) -> bool:
        """Whether a living worker owns it."""
        return conditions.owned(self)

    @property
    def disconnecting(self) -> bool:
        """Whether a clean-up waits or is being done; one that failed for good does not count."""
        return conditions.disconnecting(self)

    @property
    def is_pairing(self) -> bool:
        """Whether a phone is being linked, rather than the saved login being resumed."""
        return conditions.is_pairing(self)

    @property
    def banned_until(self) -> datetime | None:
        """The end of a ban, during which WhatsApp must not be tried; None without one."""
        if self.reason != Reason.TEMPORARILY_BANNED or self.retry_at is None:
            return None
        return self.retry_at if self.retry_at > timezone.now() else None

    @property
    def needs_task(self) -> bool:
        """Whether its owner has to start a task: to carry out a request, or to hold a link."""
        return conditions.needs_task(self)

    def open_attempt(self) -> PairingAttempt | None:
        """Return the attempt that is in progress, if any."""
        return self.attempts.filter(ended_at=None).first()


class PairingAttempt(models.Model):
    """One attempt to link a phone: who started it, its current code, and its outcome."""

    class Outcome(models.TextChoices):
        LINKED = "linked", lazy("Linked")
        EXPIRED = "expired", lazy("No one scanned in time")
        REFUSED = "refused", lazy("Refused")
        UNREACHABLE = "unreachable", lazy("WhatsApp could not be reached")
        CRASHED = "crashed", lazy("Broke off")
        TIMED_OUT = "timed_out", lazy("Took too long")
        INTERRUPTED = "interrupted", lazy("The service was restarted")
        PASSKEY = "passkey", lazy("The phone asked for a passkey")
        CANCELLED = "cancelled", lazy("Cancelled by a newer request")
        FAILED = "failed", lazy("Failed")

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="attempts")
    generation = models.PositiveBigIntegerField()
    method = models.CharField(
        lazy("method"), max_length=10, choices=Method.choices, default=Method.QR.value
    )
    started_by = models.CharField(lazy("begun by"), max_length=ACTOR_LENGTH, blank=True)
    started_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    code = models.TextField(blank=True, help_text="What the QR code says, while it is valid.")
    phone_code = models.CharField(
        max_length=20, blank=True, help_text="What is typed on the phone, while it is valid."
    )
    phone_number = models.CharField(max_length=20, blank=True, help_text="Digits of that phone.")
    code_number = models.PositiveSmallIntegerField(default=0)
    code_count = models.PositiveSmallIntegerField(default=6)
    code_expires_at = models.DateTimeField(null=True, blank=True)
    first_code_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(lazy("outcome"), max_length=20, choices=Outcome.choices, blank=True)

    class Meta:
        ordering = ["-pk"]
        verbose_name = lazy("pairing attempt")
        verbose_name_plural = lazy("pairing attempts")
        constraints = [
            models.UniqueConstraint(
                fields=["connection"],
                condition=models.Q(ended_at=None),
                name="one_open_attempt_per_connection",
            )
        ]

    def __str__(self) -> str:
        return f"Attempt {self.pk} of connection {self.connection_id}"

    @property
    def store_name(self) -> str:
        """The name of the fresh store of this attempt."""
        return f"attempt-{self.pk}"


class ConnectionEvent(models.Model):
    """One event of a connection's history. Rows are never changed."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField(default=timezone.now)
    observation = models.CharField(max_length=40)
    state_before = models.CharField(max_length=20, choices=choices(State))
    state = models.CharField(lazy("state"), max_length=20, choices=list(STATE_NAMES.items()))
    reason = models.CharField(max_length=40)
    detail = models.CharField(max_length=DETAIL_LENGTH, blank=True)
    actor = models.CharField(
        max_length=ACTOR_LENGTH, blank=True, help_text="Who asked for it, if anyone."
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True
    )
    token = models.ForeignKey(ApiToken, on_delete=models.SET_NULL, null=True, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True, help_text="Where they asked.")
    attempt = models.ForeignKey(PairingAttempt, on_delete=models.SET_NULL, null=True, blank=True)

    class Meta:
        ordering = ["-at", "-pk"]
        indexes = [models.Index(fields=["connection", "-at"])]
        verbose_name = lazy("connection event")
        verbose_name_plural = lazy("connection events")

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.state} ({self.reason})"

    @property
    def sentence(self) -> str:
        """The sentence of its reason, in the active language."""
        return REASON_TEXTS[Reason(self.reason)].sentence

    @property
    def translated_detail(self) -> str:
        """The detail in the reader's language."""
        return translate_detail(self.detail)
