import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import connections.lifecycle


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("organizations", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        migrations.swappable_dependency(settings.KNOX_TOKEN_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="BulkItem",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "result",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("asked", "Under way"),
                            ("done", "Done"),
                            ("scan", "Waiting for the scan"),
                            ("phone", "Needs the phone"),
                            ("retrying", "Trying again by itself"),
                            ("skipped", "Skipped"),
                            ("failed", "Failed"),
                            ("stopped", "Stopped"),
                        ],
                        default="waiting",
                        max_length=20,
                    ),
                ),
                (
                    "problem",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("no_right", "Your role only allows you to look at this organization."),
                            ("gone", "This organization was not found, or is no longer yours."),
                            ("connected", "WhatsApp is already connected."),
                            ("connecting", "It is being connected already."),
                            ("disconnecting", "It is being disconnected."),
                            ("disconnected", "There is nothing to disconnect."),
                            ("inactive", "This organization is deactivated."),
                            ("banned", "WhatsApp has banned this number for a while."),
                            ("too_many", "Too many reconnects in a short time. It is tried later."),
                            ("superseded", "Someone has asked for something else meanwhile."),
                            ("timed_out", "It takes long. Its page shows how it goes on."),
                            ("broke", "An error in the service. Its log says which."),
                        ],
                        max_length=20,
                    ),
                ),
                (
                    "reason",
                    models.CharField(
                        blank=True, help_text="The connection's, then.", max_length=40
                    ),
                ),
                (
                    "generation",
                    models.PositiveBigIntegerField(
                        default=0, help_text="The connection's request that this became."
                    ),
                ),
                ("not_before", models.DateTimeField(blank=True, null=True)),
                ("asked_at", models.DateTimeField(blank=True, null=True)),
                ("changed_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "ordering": ["pk"],
            },
        ),
        migrations.CreateModel(
            name="BulkRun",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "action",
                    models.CharField(
                        choices=[("reconnect", "Reconnect"), ("disconnect", "Disconnect")],
                        max_length=20,
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "next_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, help_text="Not before is it its turn."
                    ),
                ),
                ("stopped_at", models.DateTimeField(blank=True, null=True)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("actor", models.CharField(max_length=200)),
                (
                    "address",
                    models.GenericIPAddressField(
                        blank=True, help_text="Where they asked.", null=True
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
            },
        ),
        migrations.CreateModel(
            name="Connection",
            fields=[
                (
                    "organization",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="connection",
                        serialize=False,
                        to="organizations.organization",
                    ),
                ),
                (
                    "desired",
                    models.CharField(
                        choices=[("connected", "Connected"), ("disconnected", "Disconnected")],
                        default="disconnected",
                        max_length=20,
                    ),
                ),
                (
                    "generation",
                    models.PositiveBigIntegerField(
                        default=0,
                        help_text="Raised by each request; a write for an older one changes nothing.",
                    ),
                ),
                (
                    "started_generation",
                    models.PositiveBigIntegerField(
                        default=0,
                        help_text="The newest request that the worker has begun to carry out.",
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("disconnected", "Disconnected"),
                            ("connecting", "Connecting"),
                            ("awaiting_scan", "Awaiting scan"),
                            ("connected", "Connected"),
                            ("reconnecting", "Reconnecting"),
                            ("action_needed", "Action needed"),
                        ],
                        default="disconnected",
                        max_length=20,
                    ),
                ),
                ("reason", models.CharField(default="never_connected", max_length=40)),
                ("detail", models.CharField(blank=True, max_length=300)),
                ("since", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "retry_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="When it is tried again by itself, if that is known.",
                        null=True,
                    ),
                ),
                ("number", models.CharField(blank=True, help_text="Digits only.", max_length=20)),
                (
                    "last_number",
                    models.CharField(
                        blank=True,
                        db_default="",
                        help_text="Digits of the last linked phone, also after its end.",
                        max_length=20,
                    ),
                ),
                (
                    "store_name",
                    models.CharField(
                        blank=True,
                        help_text="Where the credentials lie, inside the folder.",
                        max_length=50,
                    ),
                ),
                (
                    "logout_pending",
                    models.BooleanField(
                        default=False,
                        help_text="A disconnect was requested and its clean-up is not done yet.",
                    ),
                ),
                ("requested_by", models.CharField(blank=True, max_length=200)),
                (
                    "requested_method",
                    models.CharField(
                        choices=[("qr", "QR code"), ("phone", "Code typed on the phone")],
                        default="qr",
                        max_length=10,
                    ),
                ),
                (
                    "requested_number",
                    models.CharField(
                        blank=True,
                        help_text="Digits of the phone that types the code.",
                        max_length=20,
                    ),
                ),
                (
                    "fresh_code",
                    models.BooleanField(
                        db_default=False,
                        default=False,
                        help_text="A new code was requested while the saved login is kept until a phone is linked.",
                    ),
                ),
                (
                    "claim",
                    models.PositiveBigIntegerField(
                        default=0,
                        help_text="Raised by each change of owner; only the newest may write.",
                    ),
                ),
            ],
            options={
                "verbose_name": "connection",
                "verbose_name_plural": "connections",
            },
        ),
        migrations.CreateModel(
            name="Worker",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                ("started_at", models.DateTimeField(auto_now_add=True, verbose_name="started")),
                (
                    "heartbeat_at",
                    models.DateTimeField(
                        db_index=True,
                        default=django.utils.timezone.now,
                        verbose_name="last sign of life",
                    ),
                ),
                ("stopped_at", models.DateTimeField(blank=True, null=True, verbose_name="stopped")),
                (
                    "process",
                    models.CharField(
                        blank=True,
                        db_default="",
                        default="",
                        help_text="Machine, number and start of its process.",
                        max_length=100,
                    ),
                ),
                (
                    "draining_since",
                    models.DateTimeField(
                        blank=True,
                        help_text="It hands over all that it owns.",
                        null=True,
                        verbose_name="draining since",
                    ),
                ),
                (
                    "capacity",
                    models.PositiveIntegerField(
                        db_default=0,
                        default=0,
                        help_text="How many organizations it takes at most; 0: all there are.",
                        verbose_name="capacity",
                    ),
                ),
                (
                    "sessions",
                    models.PositiveIntegerField(
                        db_default=0,
                        default=0,
                        help_text="How many it had at its last sign of life.",
                        verbose_name="organizations",
                    ),
                ),
                (
                    "hosts",
                    models.PositiveIntegerField(
                        db_default=0,
                        default=0,
                        help_text="How many it had at its last sign of life.",
                        verbose_name="host processes",
                    ),
                ),
                (
                    "outdated_since",
                    models.DateTimeField(
                        blank=True,
                        help_text="WhatsApp refuses the version of all its clients.",
                        null=True,
                    ),
                ),
            ],
            options={
                "verbose_name": "worker",
                "verbose_name_plural": "workers",
            },
        ),
        migrations.AddField(
            model_name="bulkrun",
            name="user",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="bulkitem",
            name="run",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="items",
                to="connections.bulkrun",
            ),
        ),
        migrations.AddField(
            model_name="bulkitem",
            name="connection",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="bulk_items",
                to="connections.connection",
            ),
        ),
        migrations.CreateModel(
            name="OwnerLink",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("secret_hash", models.CharField(max_length=64, unique=True)),
                ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "expires_at",
                    models.DateTimeField(help_text="Until when its attempt may be begun."),
                ),
                ("opened_at", models.DateTimeField(blank=True, null=True)),
                (
                    "used_at",
                    models.DateTimeField(
                        blank=True, help_text="When its attempt was begun.", null=True
                    ),
                ),
                (
                    "browser_hash",
                    models.CharField(
                        blank=True,
                        help_text="Of the browser that began it: no other may go on.",
                        max_length=64,
                    ),
                ),
                (
                    "last_event",
                    models.PositiveBigIntegerField(
                        default=0,
                        help_text="The newest line of the history when its attempt had been begun.",
                    ),
                ),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
                ("actor", models.CharField(blank=True, help_text="Who made it.", max_length=200)),
                (
                    "address",
                    models.GenericIPAddressField(
                        blank=True, help_text="Where they asked.", null=True
                    ),
                ),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="owner_links",
                        to="connections.connection",
                    ),
                ),
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
            ],
            options={
                "ordering": ["-pk"],
            },
        ),
        migrations.CreateModel(
            name="PairingAttempt",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("generation", models.PositiveBigIntegerField()),
                (
                    "method",
                    models.CharField(
                        choices=[("qr", "QR code"), ("phone", "Code typed on the phone")],
                        default="qr",
                        max_length=10,
                        verbose_name="method",
                    ),
                ),
                (
                    "started_by",
                    models.CharField(blank=True, max_length=200, verbose_name="begun by"),
                ),
                ("started_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("expires_at", models.DateTimeField()),
                (
                    "code",
                    models.TextField(
                        blank=True, help_text="What the QR code says, while it is valid."
                    ),
                ),
                (
                    "phone_code",
                    models.CharField(
                        blank=True,
                        help_text="What is typed on the phone, while it is valid.",
                        max_length=20,
                    ),
                ),
                (
                    "phone_number",
                    models.CharField(blank=True, help_text="Digits of that phone.", max_length=20),
                ),
                ("code_number", models.PositiveSmallIntegerField(default=0)),
                ("code_count", models.PositiveSmallIntegerField(default=6)),
                ("code_expires_at", models.DateTimeField(blank=True, null=True)),
                ("first_code_at", models.DateTimeField(blank=True, null=True)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "outcome",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("linked", "Linked"),
                            ("expired", "No one scanned in time"),
                            ("refused", "Refused"),
                            ("unreachable", "WhatsApp could not be reached"),
                            ("crashed", "Broke off"),
                            ("timed_out", "Took too long"),
                            ("interrupted", "The service was restarted"),
                            ("passkey", "The phone asked for a passkey"),
                            ("cancelled", "Cancelled by a newer request"),
                            ("failed", "Failed"),
                        ],
                        max_length=20,
                        verbose_name="outcome",
                    ),
                ),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="attempts",
                        to="connections.connection",
                    ),
                ),
            ],
            options={
                "verbose_name": "pairing attempt",
                "verbose_name_plural": "pairing attempts",
                "ordering": ["-pk"],
            },
        ),
        migrations.CreateModel(
            name="ConnectionEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("observation", models.CharField(max_length=40)),
                (
                    "state_before",
                    models.CharField(
                        choices=[
                            ("disconnected", "Disconnected"),
                            ("connecting", "Connecting"),
                            ("awaiting_scan", "Awaiting scan"),
                            ("connected", "Connected"),
                            ("reconnecting", "Reconnecting"),
                            ("action_needed", "Action needed"),
                        ],
                        max_length=20,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            (connections.lifecycle.State["DISCONNECTED"], "Disconnected"),
                            (connections.lifecycle.State["CONNECTING"], "Connecting"),
                            (connections.lifecycle.State["AWAITING_SCAN"], "Awaiting scan"),
                            (connections.lifecycle.State["CONNECTED"], "Connected"),
                            (connections.lifecycle.State["RECONNECTING"], "Reconnecting"),
                            (connections.lifecycle.State["ACTION_NEEDED"], "Action needed"),
                        ],
                        max_length=20,
                        verbose_name="state",
                    ),
                ),
                ("reason", models.CharField(max_length=40)),
                ("detail", models.CharField(blank=True, max_length=300)),
                (
                    "actor",
                    models.CharField(
                        blank=True, help_text="Who asked for it, if anyone.", max_length=200
                    ),
                ),
                (
                    "address",
                    models.GenericIPAddressField(
                        blank=True, help_text="Where they asked.", null=True
                    ),
                ),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="events",
                        to="connections.connection",
                    ),
                ),
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
                    "attempt",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        to="connections.pairingattempt",
                    ),
                ),
            ],
            options={
                "verbose_name": "connection event",
                "verbose_name_plural": "connection events",
                "ordering": ["-at", "-pk"],
            },
        ),
        migrations.CreateModel(
            name="SelfTest",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "number",
                    models.CharField(
                        help_text="Digits of the number that was tested.", max_length=20
                    ),
                ),
                ("text", models.TextField(help_text="In the language of the person who asked.")),
                ("requested_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "expires_at",
                    models.DateTimeField(help_text="Without an outcome by then, it has failed."),
                ),
                (
                    "taken_at",
                    models.DateTimeField(
                        blank=True, help_text="A worker began to send it.", null=True
                    ),
                ),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "failure",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("no_answer", "WhatsApp did not answer in time"),
                            ("not_sent", "No worker sent it in time"),
                            ("link_lost", "The connection was lost"),
                            ("refused", "WhatsApp refused it"),
                        ],
                        max_length=20,
                    ),
                ),
                (
                    "message_id",
                    models.CharField(blank=True, help_text="WhatsApp's, if sent.", max_length=100),
                ),
                ("actor", models.CharField(blank=True, max_length=200)),
                (
                    "address",
                    models.GenericIPAddressField(
                        blank=True, help_text="Where they asked.", null=True
                    ),
                ),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="self_tests",
                        to="connections.connection",
                    ),
                ),
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
            ],
            options={
                "ordering": ["-pk"],
            },
        ),
        migrations.AddField(
            model_name="connection",
            name="worker",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                to="connections.worker",
            ),
        ),
        migrations.AddIndex(
            model_name="bulkrun",
            index=models.Index(
                condition=models.Q(("ended_at", None)), fields=["next_at"], name="open_bulk_runs"
            ),
        ),
        migrations.AddIndex(
            model_name="bulkitem",
            index=models.Index(fields=["result"], name="connections_result_10780a_idx"),
        ),
        migrations.AddConstraint(
            model_name="bulkitem",
            constraint=models.UniqueConstraint(
                fields=("run", "connection"), name="one_item_per_run_and_connection"
            ),
        ),
        migrations.AddConstraint(
            model_name="pairingattempt",
            constraint=models.UniqueConstraint(
                condition=models.Q(("ended_at", None)),
                fields=("connection",),
                name="one_open_attempt_per_connection",
            ),
        ),
        migrations.AddIndex(
            model_name="connectionevent",
            index=models.Index(fields=["connection", "-at"], name="connections_connect_6ff1c6_idx"),
        ),
        migrations.AddIndex(
            model_name="selftest",
            index=models.Index(
                fields=["connection", "-requested_at"], name="connections_connect_b1feed_idx"
            ),
        ),
        migrations.AddConstraint(
            model_name="selftest",
            constraint=models.UniqueConstraint(
                condition=models.Q(("ended_at", None)),
                fields=("connection",),
                name="one_open_self_test_per_connection",
            ),
        ),
        migrations.AddConstraint(
            model_name="connection",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    models.Q(("store_name", ""), _negated=True),
                    models.Q(("number", ""), _negated=True),
                ),
                fields=("number",),
                name="one_organization_per_linked_number",
            ),
        ),
    ]
