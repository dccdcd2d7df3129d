"""Links for the phones' owners."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db import models
from django.utils import timezone

from connections.lifecycle import Reason, State
from connections.models.core import Connection, ConnectionEvent, PairingAttempt
from organizations.access import Caller, Permission
from organizations.models import ACTOR_LENGTH, ApiToken


class OwnerLink(models.Model):
    """A link for the phone's owner: it links one phone without a login.

    An attempt that ends without a linked phone may be tried again in the same browser, until the
    link expires. Only hashes of its secrets are stored.
    """

    class State(models.TextChoices):
        NEW = "new", "Not opened yet"
        OPENED = "opened", "Opened"
        IN_USE = "in_use", "In use"
        RETRY = "retry", "Not linked; may be tried again"
        LINKED = "linked", "Used up: a phone was linked"
        FAILED = "failed", "Used: the phone was not linked"
        EXPIRED = "expired", "Expired"
        REVOKED = "revoked", "Revoked"

    OPEN = frozenset({State.NEW, State.OPENED, State.IN_USE, State.RETRY})

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="owner_links")
    secret_hash = models.CharField(max_length=64, unique=True)
    made_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(help_text="Until when its attempt may be begun.")
    opened_at = models.DateTimeField(null=True, blank=True)
    used_at = models.DateTimeField(null=True, blank=True, help_text="When its attempt was begun.")
    browser_hash = models.CharField(
        max_length=64, blank=True, help_text="Of the browser that began it: no other may go on."
    )
    last_event = models.PositiveBigIntegerField(
        default=0, help_text="The newest line of the history when its attempt had been begun."
    )
    revoked_at = models.DateTimeField(null=True, blank=True)
    actor = models.CharField(max_length=ACTOR_LENGTH, blank=True, help_text="Who made it.")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True
    )
    token = models.ForeignKey(ApiToken, on_delete=models.SET_NULL, null=True, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True, help_text="Where they asked.")

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"Owner link {self.pk} of connection {self.connection_id}"

    @property
    def ends_at(self) -> datetime:
        """When it ends without any event; an attempt that was started has its own time."""
        if self.used_at is None:
            return self.expires_at
        # Twice: changing from the QR code to the typed one starts a new pairing.
        return self.used_at + 2 * timedelta(seconds=settings.PAIRING_TIMEOUT_SECONDS)

    @property
    def maker_may_operate(self) -> bool:
        """Whether its maker, a user or a token, still may operate the organization."""
        if self.user is None and self.token is None:
            return False
        try:
            maker = Caller(self.user or AnonymousUser(), self.token).reread()
        except PermissionDenied:
            return False
        return maker.may(Permission.OPERATE, self.connection.organization)

    @property
    def is_unfinished(self) -> bool:
        """Whether it can be used, or is in use. Unlike `is_open`, ignores its maker's rights."""
        return self._progress in self.OPEN

    @property
    def linked_at(self) -> datetime | None:
        """When a phone was linked since the link was made, whoever asked for its code."""
        linked = self.connection.attempts.filter(
            outcome=PairingAttempt.Outcome.LINKED, ended_at__gte=self.made_at
        )
        return linked.order_by("ended_at").values_list("ended_at", flat=True).first()

    def ending_event(self) -> ConnectionEvent | None:
        """Return the event that ended its newest attempt, if it was started and has ended."""
        if self.used_at is None:
            return None
        over = models.Q(state__in=[State.CONNECTED, State.DISCONNECTED, State.ACTION_NEEDED])
        # The phone used the code and the link dropped then; or a logout was requested meanwhile.
        over |= models.Q(state=State.RECONNECTING, attempt__outcome=PairingAttempt.Outcome.LINKED)
        over |= models.Q(reason__in=[Reason.DISCONNECTING, Reason.SAVED_LOGIN_KEPT])
        later = self.connection.events.filter(over, pk__gt=self.last_event)
        return later.select_related("attempt").order_by("pk").first()

    @property
    def _progress(self) -> State:
        """Its state, whatever its maker may do."""
        if self.revoked_at is not None:
            return self.State.REVOKED
        if self.linked_at is not None:
            return self.State.LINKED
        now = timezone.now()
        if self.used_at is None:
            if self.expires_at <= now:
                return self.State.EXPIRED
            return self.State.OPENED if self.opened_at else self.State.NEW
        ending = self.ending_event()
        if ending is not None and ending.state in (State.CONNECTED, State.RECONNECTING):
            if ending.reason != Reason.SAVED_LOGIN_KEPT:
                return self.State.LINKED
        elif ending is None and self.ends_at > now:
            return self.State.IN_USE
        return self.State.RETRY if self.expires_at > now else self.State.FAILED

    @property
    def state(self) -> State:
        """Its state now. Only this decides whether the link can be used."""
        state = self._progress
        if state not in self.OPEN or self.maker_may_operate:
            return state
        return self.State.FAILED if state == self.State.RETRY else self.State.REVOKED

    @property
    def is_open(self) -> bool:
        """Whether it can be used, or is in use."""
        return self.state in self.OPEN
