"""Clients and their members."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from organizations.names import validate_name


class Organization(models.Model):
    """A client organization: one tenant, one WhatsApp number."""

    name = models.CharField(lazy("name"), max_length=200, validators=[validate_name])
    expected_number = models.CharField(
        lazy("expected number"),
        max_length=20,
        blank=True,
        help_text=lazy("Digits with the country's code; empty: any phone may be linked."),
    )
    operators_read_messages = models.BooleanField(
        lazy("operators read and write messages"),
        default=False,
        help_text=lazy("Owners always do, viewers never."),
    )
    created_at = models.DateTimeField(lazy("created at"), auto_now_add=True)
    deactivated_at = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text=lazy("While it is set, the connection rests; its credentials are kept."),
    )

    class Meta:
        ordering = ["name", "pk"]
        verbose_name = lazy("organization")
        verbose_name_plural = lazy("organizations")

    def __str__(self) -> str:
        return self.name

    @property
    def is_active(self) -> bool:
        return self.deactivated_at is None

    @property
    def known_numbers(self) -> tuple[str, ...]:
        """Return the numbers (digits) that the API shows for it: expected and linked."""
        # `connection` is a reverse relation of the app `connections`; it may have no row.
        linked = getattr(getattr(self, "connection", None), "number", "")
        return tuple(filter(None, (self.expected_number, linked)))


class Membership(models.Model):
    """A user's membership and role in an organization."""

    class Role(models.TextChoices):
        VIEWER = "viewer", lazy("Viewer: sees status and history")
        OPERATOR = "operator", lazy("Operator: reconnects and disconnects too")
        OWNER = "owner", lazy("Owner: manages members and tokens too")

    organization = models.ForeignKey(
        Organization,
        on_delete=models.CASCADE,
        related_name="memberships",
        verbose_name=lazy("organization"),
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="memberships",
        verbose_name=lazy("user"),
    )
    role = models.CharField(
        lazy("role"), max_length=10, choices=Role.choices, default=Role.OPERATOR
    )

    class Meta:
        verbose_name = lazy("membership")
        verbose_name_plural = lazy("memberships")
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "user"], name="one_membership_per_user_and_organization"
            )
        ]

    def __str__(self) -> str:
        return _("{user} in {organization}").format(user=self.user, organization=self.organization)
