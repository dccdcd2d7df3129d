"""API tokens, on top of django-rest-knox."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as lazy
from knox.models import AbstractAuthToken

from organizations.models.organizations import Organization
from organizations.names import validate_name


class ApiToken(AbstractAuthToken):
    """A token for the REST API. Only its hash and its first characters are stored.

    With an organization it is that organization's own token, and `user` is who created it; without
    one it is a personal token and has the rights of `user`.
    """

    class Scope(models.TextChoices):
        READ = "read", lazy("Read: sees status and history")
        MANAGE = "manage", lazy("Manage: reconnects and disconnects too")

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
    scope = models.CharField(
        lazy("scope"), max_length=10, choices=Scope.choices, default=Scope.MANAGE
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
    def is_valid(self) -> bool:
        """Return whether requests with this token are accepted now."""
        if self.revoked_at is not None or (self.expiry and self.expiry <= timezone.now()):
            return False
        return self.organization_id is not None or self.user.is_active
