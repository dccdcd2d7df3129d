"""Models: organizations, memberships, API tokens, invitations and the audit log."""

import uuid
from collections.abc import Collection

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from knox.models import AbstractAuthToken

from organizations.actors import LABEL_LENGTH
from organizations.login_counts import LoginCount as LoginCount
from organizations.names import validate_name, validate_username
from organizations.second_factor.devices import AuthenticatorApp as AuthenticatorApp
from organizations.second_factor.devices import RecoveryCodes as RecoveryCodes


class Organization(models.Model):
    """A client organization: one tenant, one WhatsApp number."""

    name = models.CharField(lazy("name"), max_length=200, validators=[validate_name])
    expected_number = models.CharField(
        lazy("expected number"),
        max_length=20,
        blank=True,
        help_text=lazy("Digits with the country's code; empty: any phone may be linked."),
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


class AuditEntry(models.Model):
    """A change to an organization, its members or its tokens. Rows are never changed.

    Events of the WhatsApp connection are stored in `connections.ConnectionEvent`.
    """

    class Action(models.TextChoices):
        ORGANIZATION_CREATED = "organization_created", lazy("Organization created")
        ORGANIZATION_RENAMED = "organization_renamed", lazy("Organization renamed")
        EXPECTED_NUMBER_CHANGED = "expected_number_changed", lazy("Expected number changed")
        ORGANIZATION_DEACTIVATED = "organization_deactivated", lazy("Organization deactivated")
        ORGANIZATION_REACTIVATED = "organization_reactivated", lazy("Organization reactivated")
        MEMBER_ADDED = "member_added", lazy("Member added")
        MEMBER_CHANGED = "member_changed", lazy("Member's role changed")
        MEMBER_REMOVED = "member_removed", lazy("Member removed")
        MEMBER_INVITED = "member_invited", lazy("Member invited")
        INVITATION_WITHDRAWN = "invitation_withdrawn", lazy("Invitation withdrawn")
        INVITATION_DECLINED = "invitation_declined", lazy("Invitation declined")
        TOKEN_CREATED = "token_created", lazy("API token created")
        TOKEN_REVOKED = "token_revoked", lazy("API token revoked")
        OWNER_LINK_MADE = "owner_link_made", lazy("Link for the phone's owner made")
        OWNER_LINK_OPENED = "owner_link_opened", lazy("Link for the phone's owner opened")
        OWNER_LINK_USED = "owner_link_used", lazy("Link for the phone's owner used")
        OWNER_LINK_REVOKED = "owner_link_revoked", lazy("Link for the phone's owner revoked")
        LINKED_NUMBER_CHANGED = "linked_number_changed", lazy("Another phone linked")
        SECOND_FACTOR_ADDED = "second_factor_added", lazy("Second factor set up")
        SECOND_FACTOR_REMOVED = "second_factor_removed", lazy("Second factor removed")
        SECOND_FACTOR_RESET = "second_factor_reset", lazy("Second factor reset by someone else")
        RECOVERY_CODES_RENEWED = "recovery_codes_renewed", lazy("New recovery codes made")
        RECOVERY_CODE_USED = "recovery_code_used", lazy("Recovery code used to log in")
        WORKER_DRAINED = "worker_drained", lazy("Worker drained")
        WORKER_RESUMED = "worker_resumed", lazy("Worker takes organizations again")

    organization = models.ForeignKey(
        Organization,
        on_delete=models.CASCADE,
        null=True,
        related_name="audit_entries",
        verbose_name=lazy("organization"),
    )
    at = models.DateTimeField(default=timezone.now)
    action = models.CharField(lazy("action"), max_length=40, choices=Action.choices)
    detail = models.CharField(lazy("detail"), max_length=500, blank=True)
    actor = models.CharField(max_length=LABEL_LENGTH)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True
    )
    token = models.ForeignKey(ApiToken, on_delete=models.SET_NULL, null=True, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)

    class Meta:
        ordering = ["-at", "-pk"]
        indexes = [models.Index(fields=["organization", "-at"])]
        verbose_name = lazy("audit entry")
        verbose_name_plural = lazy("audit entries")

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.get_action_display()}"
