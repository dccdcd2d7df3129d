"""Each organization's settings for messages, and the state of its outbox."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings as project_settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as lazy

from organizations.models import Organization


def default_retention_days() -> int:
    """Return for how many days an organization keeps messages that has decided nothing."""
    return int(project_settings.MESSAGE_RETENTION_DAYS)


class MessagingSettings(models.Model):
    """What an owner decides about the messages of an organization. Without a row: the defaults."""

    organization = models.OneToOneField(
        Organization,
        on_delete=models.CASCADE,
        primary_key=True,
        related_name="messaging_settings",
    )
    sending_stopped_at = models.DateTimeField(
        null=True, blank=True, help_text="While it is set, nothing is sent."
    )
    groups = models.BooleanField(lazy("keep messages of groups"), default=False)
    erase_delivered_texts = models.BooleanField(
        lazy("erase texts once they are delivered"), default=False
    )
    retention_days = models.PositiveSmallIntegerField(
        lazy("days to keep messages"),
        default=default_retention_days,
        help_text=lazy("0: for ever."),
    )
    messages_per_minute = models.PositiveIntegerField(
        null=True, blank=True, help_text="Empty: the installation's MESSAGES_PER_MINUTE."
    )
    new_recipients_per_day = models.PositiveIntegerField(
        null=True, blank=True, help_text="Empty: the installation's NEW_RECIPIENTS_PER_DAY."
    )
    # With a default in the database: processes of the previous version go on during an upgrade.
    token_in_query = models.BooleanField(
        default=False,
        db_default=False,
        help_text="The Cloud API takes its token as access_token in the address.",
    )
    interactive_as_text = models.BooleanField(
        default=True,
        db_default=True,
        help_text="The Cloud API sends buttons and lists as numbered text.",
    )

    class Meta:
        verbose_name = lazy("message settings")
        verbose_name_plural = lazy("message settings")

    def __str__(self) -> str:
        return f"Message settings of {self.organization_id}"

    @classmethod
    def of(cls, organization_id: int) -> MessagingSettings:
        """Return the organization's settings; the defaults, not stored, where it has none."""
        stored = cls.objects.filter(organization=organization_id).first()
        return stored or cls(organization_id=organization_id)

    @classmethod
    def of_loaded(cls, organization: Organization) -> MessagingSettings:
        """Return the settings that were read along with the organization. See `of`."""
        own: MessagingSettings | None = getattr(organization, "messaging_settings", None)
        return own or cls(organization_id=organization.pk)

    @property
    def per_minute(self) -> int:
        """Messages that may leave within a minute, 0 for no limit."""
        own = self.messages_per_minute
        return project_settings.MESSAGES_PER_MINUTE if own is None else own

    @property
    def new_per_day(self) -> int:
        """People never written to or heard from who may be written to in 24 hours, 0: no limit."""
        own = self.new_recipients_per_day
        return project_settings.NEW_RECIPIENTS_PER_DAY if own is None else own


class Outbox(models.Model):
    """The state of an organization's sending. Its row lock orders all writers of messages."""

    organization = models.OneToOneField(
        Organization, on_delete=models.CASCADE, primary_key=True, related_name="outbox"
    )
    store_name = models.CharField(
        max_length=50, blank=True, help_text="The link that the outbox belongs to."
    )
    number = models.CharField(max_length=20, blank=True, help_text="That link's number, digits.")
    next_send_at = models.DateTimeField(
        default=timezone.now, help_text="The gap between two messages ends here."
    )
    replies_only_until = models.DateTimeField(
        null=True, help_text="WhatsApp refused a first message (463); until then only answers go."
    )
    checked_secrets = models.BigIntegerField(
        default=0, help_text="The newest row of the library's secrets that was compared."
    )
    # Null for processes of the previous version, which go on during an upgrade.
    open_histories = models.JSONField(
        default=dict,
        null=True,
        help_text="Announced histories without ids: a client's spool, and when (Unix ms).",
    )

    def __str__(self) -> str:
        return f"Outbox of {self.organization_id}"

    @property
    def active_replies_only_until(self) -> datetime | None:
        """The end of the time in which only answers leave, None if everything may leave."""
        until = self.replies_only_until
        return until if until is not None and until > timezone.now() else None
