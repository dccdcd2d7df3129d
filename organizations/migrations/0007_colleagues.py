import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("organizations", "0006_audit_words_of_webhooks"),
    ]

    operations = [
        migrations.AlterField(
            model_name="auditentry",
            name="action",
            field=models.CharField(
                choices=[
                    ("organization_created", "Organization created"),
                    ("organization_renamed", "Organization renamed"),
                    ("expected_number_changed", "Expected number changed"),
                    ("messages_opened", "Messages opened to operators"),
                    ("messages_closed", "Messages closed to operators"),
                    ("organization_deactivated", "Organization deactivated"),
                    ("organization_reactivated", "Organization reactivated"),
                    ("member_added", "Member added"),
                    ("member_changed", "Member's role changed"),
                    ("member_removed", "Member removed"),
                    ("member_invited", "Member invited"),
                    ("invitation_withdrawn", "Invitation withdrawn"),
                    ("invitation_declined", "Invitation declined"),
                    ("colleague_invited", "Colleague invited"),
                    ("colleague_invitation_revoked", "Invitation of a colleague revoked"),
                    ("colleague_joined", "Colleague joined"),
                    ("token_created", "API token created"),
                    ("token_revoked", "API token revoked"),
                    ("owner_link_made", "Link for the phone's owner made"),
                    ("owner_link_opened", "Link for the phone's owner opened"),
                    ("owner_link_used", "Link for the phone's owner used"),
                    ("owner_link_revoked", "Link for the phone's owner revoked"),
                    ("linked_number_changed", "Another phone linked"),
                    ("second_factor_added", "Second factor set up"),
                    ("second_factor_removed", "Second factor removed"),
                    ("second_factor_reset", "Second factor reset by someone else"),
                    ("recovery_codes_renewed", "New recovery codes made"),
                    ("recovery_code_used", "Recovery code used to log in"),
                    ("worker_drained", "Worker drained"),
                    ("worker_resumed", "Worker takes organizations again"),
                    ("message_settings_changed", "Message settings changed"),
                    ("sending_stopped", "Sending of messages stopped"),
                    ("sending_allowed", "Sending of messages allowed again"),
                    ("held_messages_sent", "Held messages sent"),
                    ("held_messages_dropped", "Held messages dropped"),
                    ("waiting_messages_discarded", "Waiting messages discarded"),
                    ("texts_opened", "Messages opened by an administrator"),
                    ("contact_erased", "Everything of one person erased"),
                    ("messages_erased", "All messages erased"),
                    ("messages_exported", "All messages exported"),
                    ("webhook_made", "Webhook made"),
                    ("webhook_changed", "Webhook changed"),
                    ("webhook_secret_rotated", "Secret of a webhook rotated"),
                    ("webhook_paused", "Webhook paused"),
                    ("webhook_enabled", "Webhook turned on"),
                    ("webhook_disabled", "Webhook turned off by the service"),
                    ("webhook_deleted", "Webhook deleted"),
                    ("webhook_replayed", "Events sent to a webhook again"),
                    ("webhook_event_given_up", "Event for a webhook given up"),
                ],
                max_length=40,
                verbose_name="action",
            ),
        ),
        migrations.CreateModel(
            name="ColleagueInvitation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("secret_hash", models.CharField(max_length=64, unique=True)),
                ("name", models.CharField(max_length=150)),
                (
                    "email",
                    models.EmailField(help_text="The username, too.", max_length=150, unique=True),
                ),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("viewer", "Viewer: sees status and history"),
                            ("operator", "Operator: reconnects and disconnects too"),
                            ("owner", "Owner: manages members and tokens too"),
                            (
                                "administrator",
                                "Administrator: all organizations, also new ones, "
                                "and the people of this service",
                            ),
                        ],
                        max_length=20,
                    ),
                ),
                (
                    "all_organizations",
                    models.BooleanField(help_text="All that there are when it is accepted."),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("expires_at", models.DateTimeField()),
                (
                    "invited_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "organizations",
                    models.ManyToManyField(related_name="+", to="organizations.organization"),
                ),
            ],
            options={
                "ordering": ["-created_at", "-pk"],
            },
        ),
    ]
