"""Invitations to become a member."""

import uuid
from collections.abc import Collection

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from organizations.models.organizations import Membership, Organization
from organizations.models.tokens import ApiToken
from organizations.names import validate_username


class Invitation(models.Model):
    """An invitation of a username to an organization. The row is deleted when it ends.

    It has no foreign key to the invited user and is the same whether that user exists, so that the
    inviter cannot learn which users exist. A declined invitation stays for the same reason.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organization = models.ForeignKey(
        Organization,
        on_delete=models.CASCADE,
        related_name="invitations",
        verbose_name=lazy("organization"),
    )
    username = models.CharField(
        lazy("username"),
        max_length=150,
        validators=[validate_username],
        help_text=lazy("The exact name that they log in with."),
    )
    role = models.CharField(
        lazy("role"),
        max_length=10,
        choices=Membership.Role.choices,
        default=Membership.Role.OPERATOR,
    )
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, editable=False, related_name="+"
    )
    token = models.ForeignKey(
        ApiToken,
        on_delete=models.CASCADE,
        null=True,
        editable=False,
        related_name="+",
        help_text="The token it was made with, if any. Revoking that token ends it.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(editable=False)
    declined_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-created_at", "pk"]
        verbose_name = lazy("invitation")
        verbose_name_plural = lazy("invitations")
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "username"],
                name="one_invitation_per_username_and_organization",
            )
        ]

    def __str__(self) -> str:
        return _("{user} in {organization}").format(
            user=self.username, organization=self.organization
        )

    def validate_constraints(self, exclude: Collection[str] | None = None) -> None:
        """Allow a form to repeat an existing invitation, which `invite` replaces."""
