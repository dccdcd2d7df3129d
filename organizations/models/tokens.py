"""API tokens, on top of django-rest-knox."""

from datetime import timedelta

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as lazy
from knox.models import AbstractAuthToken

from organizations.models.organizations import Organization
from organizations.names import validate_name


class ApiToken(AbstractAuthToken):
    """A token of the REST API or of the Cloud API. Only its hash and first characters are stored.

    With an organization it is that organization's own token, and `user` is who created it; without
    one it is a personal token and has the rights of `user`. A token of one kind opens nothing of
    the other kind.
    """

    class Kind(models.TextChoices):
        REST = "rest", lazy("REST API")
        GRAPH = "graph", lazy("Cloud API, for software that was written for Meta's")

    class Scope(models.TextChoices):
        READ = "read", lazy("Read: sees status and history")
        MANAGE = "manage", lazy("Manage: reconnects and disconnects too")

    class MessageScope(models.TextChoices):
        SEND = "messages:send", lazy("Send messages")
        READ = "messages:read", lazy("Read messages")

    DEFAULT_LIFETIME = timedelta(days=90)
    """Of a token whose maker says nothing of its end."""

    organization = models.ForeignKey(
        Organization,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="tokens",
        verbose_name=lazy("organization"),
    )
    number = models.UUIDField(
        unique=True, editable=False, help_text=lazy("What the API calls it by.")
    )
    name = models.CharField(
        lazy("name"),
        max_length=100,
        help_text=lazy("What uses this token."),
        validators=[validate_name],
    )
    # With a default in the database: processes of the previous version go on during an upgrade.
    kind = models.CharField(
        lazy("kind"),
        max_length=10,
        choices=Kind.choices,
        default=Kind.REST.value,
        db_default=Kind.REST.value,
    )
    scope = models.CharField(
        lazy("scope"), max_length=10, choices=Scope.choices, default=Scope.MANAGE
    )
    sends_messages = models.BooleanField(
        lazy("sends messages"), default=False, help_text=lazy("The scope messages:send.")
    )
    reads_messages = models.BooleanField(
        lazy("reads messages"),
        default=False,
        help_text=lazy("The scope messages:read: texts, media and numbers."),
    )
    made_by = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="made",
        help_text="The token that made this one. Revoking it revokes this one too.",
    )
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-created"]
        verbose_name = lazy("API token")
        verbose_name_plural = lazy("API tokens")

    def __str__(self) -> str:
        return f"{self.name} ({self.token_key}…)"

    @property
    def message_scopes(self) -> list[MessageScope]:
        """Return the scopes for messages, which are apart from `scope`."""
        held = {
            self.MessageScope.SEND: self.sends_messages,
            self.MessageScope.READ: self.reads_messages,
        }
        return [scope for scope, has in held.items() if has]

    @property
    def is_valid(self) -> bool:
        """Return whether requests with this token are accepted now."""
        if self.revoked_at is not None or (self.expiry and self.expiry <= timezone.now()):
            return False
        return self.organization_id is not None or self.user.is_active
