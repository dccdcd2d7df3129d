"""Invitations of colleagues, who have no account yet."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as lazy

from organizations.models.organizations import Membership, Organization


class ColleagueInvitation(models.Model):
    """An account that is made when its link sets a password.

    Only a hash of the link's secret is stored. A revoked one is deleted; one that was used stays
    for a while, so that its page can say so.
    """

    class Role(models.TextChoices):
        VIEWER = Membership.Role.VIEWER.value, lazy("Viewer: sees status and history")
        OPERATOR = Membership.Role.OPERATOR.value, lazy("Operator: reconnects and disconnects too")
        OWNER = Membership.Role.OWNER.value, lazy("Owner: manages members and tokens too")
        ADMINISTRATOR = (
            "administrator",
            lazy("Administrator: all organizations, also new ones, and the people of this service"),
        )

    secret_hash = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=150)
    email = models.EmailField(unique=True, max_length=150, help_text="The username, too.")
    role = models.CharField(max_length=20, choices=Role.choices)
    all_organizations = models.BooleanField(help_text="All that there are when it is accepted.")
    organizations = models.ManyToManyField(Organization, related_name="+")
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, help_text="When its account was made.")

    class Meta:
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return f"Invitation of a colleague {self.pk}"

    @property
    def expired(self) -> bool:
        return self.expires_at <= timezone.now()

    @property
    def link_version(self) -> str:
        """Tell its link from the ones before and after. No secret."""
        return self.expires_at.isoformat()
