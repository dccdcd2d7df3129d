"""Clients and their members."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from organizations.folding import fold
from organizations.names import validate_name

# Folding can lengthen a name; PostgreSQL's index takes less than 2,700 bytes.
FOLDED_LENGTH = 400


class OrganizationQuerySet(models.QuerySet["Organization"]):
    """Keeps `folded_name` in step with `name` in the changes that call no `save`."""

    def update(self, **values: Any) -> int:
        if "name" in values and "folded_name" not in values:
            values["folded_name"] = folded_name(values["name"])
        return super().update(**values)

    def bulk_create(
        self, objs: Iterable[Organization], *args: Any, **options: Any
    ) -> list[Organization]:
        rows = list(objs)
        for organization in rows:
            organization.folded_name = folded_name(organization.name)
        return super().bulk_create(rows, *args, **options)

    def bulk_update(
        self, objs: Iterable[Organization], fields: Iterable[str], *args: Any, **options: Any
    ) -> int:
        rows, columns = list(objs), set(fields)
        if "name" in columns:
            columns.add("folded_name")
            for organization in rows:
                organization.folded_name = folded_name(organization.name)
        return super().bulk_update(rows, columns, *args, **options)

    def present(self) -> OrganizationQuerySet:
        """Return those that are not being removed."""
        return self.filter(removing_since=None)


def folded_name(name: object) -> str:
    """Return what `folded_name` stores for a name. Raises TypeError for an SQL expression."""
    if not isinstance(name, str):
        raise TypeError("A name is set to a text: the database cannot fold an expression.")
    return fold(name)[:FOLDED_LENGTH]


class Organization(models.Model):
    """A client organization: one tenant, one WhatsApp number."""

    name = models.CharField(lazy("name"), max_length=200, validators=[validate_name])
    folded_name = models.CharField(
        max_length=FOLDED_LENGTH,
        editable=False,
        db_default="",
        help_text="The name without accents and case, for searches and the order of lists.",
    )
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
    removing_since = models.DateTimeField(
        null=True,
        editable=False,
        help_text="While it is set, nobody sees it, and a worker deletes it bit by bit.",
    )

    objects = OrganizationQuerySet.as_manager()

    class Meta:
        ordering = ["folded_name", "pk"]
        verbose_name = lazy("organization")
        verbose_name_plural = lazy("organizations")
        indexes = [models.Index(fields=["folded_name"], name="organization_folded_name")]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **options: Any) -> None:
        self.folded_name = folded_name(self.name)
        columns = None if update_fields is None else set(update_fields)
        if columns is not None and "name" in columns:
            columns.add("folded_name")
        super().save(*args, update_fields=columns, **options)

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
