"""The audit: who changed what of an organization, its members and its tokens."""

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as lazy

from organizations.models.organizations import Organization
from organizations.models.tokens import ApiToken

ACTOR_LENGTH = 200
"""The longest label of an actor, wherever one is stored."""


class AuditEntry(models.Model):
    """A change to an organization, its members or its tokens. Rows are never changed.

    They stay, with its id, when the organization is removed; so the database checks no reference.
    Events of the WhatsApp connection are stored in `connections.ConnectionEvent`.
    """

    class Action(models.TextChoices):
        ORGANIZATION_CREATED = "organization_created", lazy("Organization created")
        ORGANIZATION_RENAMED = "organization_renamed", lazy("Organization renamed")
        EXPECTED_NUMBER_CHANGED = "expected_number_changed", lazy("Expected number changed")
        MESSAGES_OPENED = "messages_opened", lazy("Messages opened to operators")
        MESSAGES_CLOSED = "messages_closed", lazy("Messages closed to operators")
        ORGANIZATION_DEACTIVATED = "organization_deactivated", lazy("Organization deactivated")
        ORGANIZATION_REACTIVATED = "organization_reactivated", lazy("Organization reactivated")
        REMOVAL_STARTED = "removal_started", lazy("Removal of the organization started")
        REMOVAL_FORCED = "removal_forced", lazy("Removal without a confirmed logout")
        ORGANIZATION_REMOVED = "organization_removed", lazy("Organization removed")
        ORGANIZATION_EXPORTED = (
            "organization_exported",
            lazy("All data of the organization exported"),
        )
        MEMBER_ADDED = "member_added", lazy("Member added")
        MEMBER_CHANGED = "member_changed", lazy("Member's role changed")
        MEMBER_REMOVED = "member_removed", lazy("Member removed")
        MEMBER_INVITED = "member_invited", lazy("Member invited")
        INVITATION_WITHDRAWN = "invitation_withdrawn", lazy("Invitation withdrawn")
        INVITATION_DECLINED = "invitation_declined", lazy("Invitation declined")
        COLLEAGUE_INVITED = "colleague_invited", lazy("Colleague invited")
        COLLEAGUE_INVITATION_REVOKED = (
            "colleague_invitation_revoked",
            lazy("Invitation of a colleague revoked"),
        )
        COLLEAGUE_JOINED = "colleague_joined", lazy("Colleague joined")
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
        MESSAGE_SETTINGS_CHANGED = "message_settings_changed", lazy("Message settings changed")
        RETENTION_CHANGED = "retention_changed", lazy("Days to keep things changed")
        SENDING_STOPPED = "sending_stopped", lazy("Sending of messages stopped")
        SENDING_ALLOWED = "sending_allowed", lazy("Sending of messages allowed again")
        HELD_MESSAGES_SENT = "held_messages_sent", lazy("Held messages sent")
        HELD_MESSAGES_DROPPED = "held_messages_dropped", lazy("Held messages dropped")
        WAITING_MESSAGES_DISCARDED = (
            "waiting_messages_discarded",
            lazy("Waiting messages discarded"),
        )
        TEXTS_OPENED = "texts_opened", lazy("Messages opened by an administrator")
        CONTACT_ERASED = "contact_erased", lazy("Everything of one person erased")
        MESSAGES_ERASED = "messages_erased", lazy("All messages erased")
        MESSAGES_EXPORTED = "messages_exported", lazy("All messages exported")
        WEBHOOK_MADE = "webhook_made", lazy("Webhook made")
        WEBHOOK_CHANGED = "webhook_changed", lazy("Webhook changed")
        WEBHOOK_SECRET_ROTATED = "webhook_secret_rotated", lazy("Secret of a webhook rotated")
        WEBHOOK_PAUSED = "webhook_paused", lazy("Webhook paused")
        WEBHOOK_ENABLED = "webhook_enabled", lazy("Webhook turned on")
        WEBHOOK_DISABLED = "webhook_disabled", lazy("Webhook turned off by the service")
        WEBHOOK_DELETED = "webhook_deleted", lazy("Webhook deleted")
        WEBHOOK_REPLAYED = "webhook_replayed", lazy("Events sent to a webhook again")
        WEBHOOK_EVENT_GIVEN_UP = "webhook_event_given_up", lazy("Event for a webhook given up")
        NOTICE_ADDRESS_ADDED = "notice_address_added", lazy("Address for notices added")
        NOTICE_ADDRESS_REMOVED = "notice_address_removed", lazy("Address for notices removed")
        NOTICE_ADDRESS_STOPPED = "notice_address_stopped", lazy("Notices to an address stopped")
        NOTICES_CHANGED = "notices_changed", lazy("Notices to a member changed")
        PROXY_SET = "proxy_set", lazy("Proxy set")
        PROXY_REMOVED = "proxy_removed", lazy("Proxy removed")

    organization = models.ForeignKey(
        Organization,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        null=True,
        related_name="audit_entries",
        verbose_name=lazy("organization"),
    )
    at = models.DateTimeField(default=timezone.now)
    action = models.CharField(lazy("action"), max_length=40, choices=Action.choices)
    detail = models.CharField(lazy("detail"), max_length=500, blank=True)
    actor = models.CharField(max_length=ACTOR_LENGTH)
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
