import uuid

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import organizations.models.second_factor
import organizations.names


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("otp_static", "0003_add_timestamps"),
        ("otp_totp", "0003_add_timestamps"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Organization",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "name",
                    models.CharField(
                        max_length=200,
                        validators=[organizations.names.validate_name],
                        verbose_name="name",
                    ),
                ),
                (
                    "expected_number",
                    models.CharField(
                        blank=True,
                        help_text="Digits with the country's code; empty: any phone may be linked.",
                        max_length=20,
                        verbose_name="expected number",
                    ),
                ),
                (
                    "operators_read_messages",
                    models.BooleanField(
                        default=False,
                        help_text="Owners always do, viewers never.",
                        verbose_name="operators read and write messages",
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="created at")),
                (
                    "deactivated_at",
                    models.DateTimeField(
                        blank=True,
                        editable=False,
                        help_text="While it is set, the connection rests; its credentials are kept.",
                        null=True,
                    ),
                ),
            ],
            options={
                "verbose_name": "organization",
                "verbose_name_plural": "organizations",
                "ordering": ["name", "pk"],
            },
        ),
        migrations.CreateModel(
            name="AuthenticatorApp",
            fields=[],
            options={
                "proxy": True,
                "indexes": [],
                "constraints": [],
            },
            bases=(organizations.models.second_factor.BoundedThrottle, "otp_totp.totpdevice"),
        ),
        migrations.CreateModel(
            name="RecoveryCodes",
            fields=[],
            options={
                "proxy": True,
                "indexes": [],
                "constraints": [],
            },
            bases=(organizations.models.second_factor.BoundedThrottle, "otp_static.staticdevice"),
        ),
        migrations.CreateModel(
            name="ApiToken",
            fields=[
                ("digest", models.CharField(max_length=128, primary_key=True, serialize=False)),
                ("token_key", models.CharField(db_index=True, max_length=25)),
                ("created", models.DateTimeField(auto_now_add=True)),
                ("expiry", models.DateTimeField(blank=True, null=True)),
                (
                    "number",
                    models.UUIDField(
                        editable=False, help_text="What the API calls it by.", unique=True
                    ),
                ),
                (
                    "name",
                    models.CharField(
                        help_text="What uses this token.",
                        max_length=100,
                        validators=[organizations.names.validate_name],
                        verbose_name="name",
                    ),
                ),
                (
                    "scope",
                    models.CharField(
                        choices=[
                            ("read", "Read: sees status and history"),
                            ("manage", "Manage: reconnects and disconnects too"),
                        ],
                        default="manage",
                        max_length=10,
                        verbose_name="scope",
                    ),
                ),
                (
                    "sends_messages",
                    models.BooleanField(
                        default=False,
                        help_text="The scope messages:send.",
                        verbose_name="sends messages",
                    ),
                ),
                (
                    "reads_messages",
                    models.BooleanField(
                        default=False,
                        help_text="The scope messages:read: texts, media and numbers.",
                        verbose_name="reads messages",
                    ),
                ),
                ("last_used_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("revoked_at", models.DateTimeField(blank=True, editable=False, null=True)),
                (
                    "made_by",
                    models.ForeignKey(
                        blank=True,
                        editable=False,
                        help_text="The token that made this one. Revoking it revokes this one too.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="made",
                        to=settings.KNOX_TOKEN_MODEL,
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="auth_token_set",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tokens",
                        to="organizations.organization",
                        verbose_name="organization",
                    ),
                ),
            ],
            options={
                "verbose_name": "API token",
                "verbose_name_plural": "API tokens",
                "ordering": ["-created"],
            },
        ),
        migrations.CreateModel(
            name="LoginCount",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("all", "All"),
                            ("browser", "Browser"),
                            ("name", "Name"),
                            ("network", "Network"),
                        ],
                        max_length=10,
                    ),
                ),
                ("key", models.CharField(blank=True, max_length=64)),
                ("failures", models.PositiveBigIntegerField(default=0)),
                ("started_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("last_at", models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
                ("reported", models.BooleanField(default=False)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("kind", "key"), name="one_login_count_per_kind_and_key"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Membership",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("viewer", "Viewer: sees status and history"),
                            ("operator", "Operator: reconnects and disconnects too"),
                            ("owner", "Owner: manages members and tokens too"),
                        ],
                        default="operator",
                        max_length=10,
                        verbose_name="role",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="memberships",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="user",
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="memberships",
                        to="organizations.organization",
                        verbose_name="organization",
                    ),
                ),
            ],
            options={
                "verbose_name": "membership",
                "verbose_name_plural": "memberships",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "user"),
                        name="one_membership_per_user_and_organization",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Invitation",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "username",
                    models.CharField(
                        help_text="The exact name that they log in with.",
                        max_length=150,
                        validators=[organizations.names.validate_username],
                        verbose_name="username",
                    ),
                ),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("viewer", "Viewer: sees status and history"),
                            ("operator", "Operator: reconnects and disconnects too"),
                            ("owner", "Owner: manages members and tokens too"),
                        ],
                        default="operator",
                        max_length=10,
                        verbose_name="role",
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False),
                ),
                ("expires_at", models.DateTimeField(editable=False)),
                ("declined_at", models.DateTimeField(editable=False, null=True)),
                (
                    "invited_by",
                    models.ForeignKey(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "token",
                    models.ForeignKey(
                        editable=False,
                        help_text="The token it was made with, if any. Revoking that token ends it.",
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.KNOX_TOKEN_MODEL,
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="invitations",
                        to="organizations.organization",
                        verbose_name="organization",
                    ),
                ),
            ],
            options={
                "verbose_name": "invitation",
                "verbose_name_plural": "invitations",
                "ordering": ["-created_at", "pk"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "username"),
                        name="one_invitation_per_username_and_organization",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "action",
                    models.CharField(
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
                        ],
                        max_length=40,
                        verbose_name="action",
                    ),
                ),
                ("detail", models.CharField(blank=True, max_length=500, verbose_name="detail")),
                ("actor", models.CharField(max_length=200)),
                ("address", models.GenericIPAddressField(blank=True, null=True)),
                (
                    "token",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        to=settings.KNOX_TOKEN_MODEL,
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="audit_entries",
                        to="organizations.organization",
                        verbose_name="organization",
                    ),
                ),
            ],
            options={
                "verbose_name": "audit entry",
                "verbose_name_plural": "audit entries",
                "ordering": ["-at", "-pk"],
                "indexes": [
                    models.Index(
                        fields=["organization", "-at"], name="organizatio_organiz_635b26_idx"
                    )
                ],
            },
        ),
    ]
