"""The tenants, and who belongs to them."""

from django.conf import settings
from django.db import models
from knox.models import AbstractAuthToken


class Organization(models.Model):
    """A client organization: one tenant, one WhatsApp number."""

    name = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """One person's place in one organization."""

    class Role(models.TextChoices):
        VIEWER = "viewer", "Viewer: sees status and history"
        OPERATOR = "operator", "Operator: reconnects and disconnects too"
        OWNER = "owner", "Owner: manages members and tokens too"

    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="memberships"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships"
    )
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.OPERATOR)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "user"], name="one_membership_per_user_and_organization"
            )
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.organization}"


class ApiToken(AbstractAuthToken):
    """A user's key to the REST API. Only its hash and its first characters are stored."""

    name = models.CharField(max_length=100, help_text="What uses this token.")

    class Meta:
        ordering = ["-created"]
        verbose_name = "API token"

    def __str__(self) -> str:
        return f"{self.name} ({self.token_key}…)"
