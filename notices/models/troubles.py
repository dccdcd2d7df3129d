"""What people are to be told of: each trouble is a row from the transaction of the change on."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q

from organizations.models import Organization

Thing = tuple[int | None, str, str]
"""An organization, None for the installation, a kind of trouble, and its key."""


class Trouble(models.Model):
    """Something that does not work, from its begin to its end.

    `organization`: None for what concerns the installation, which administrators are told.
    `key`: which of several things of the organization, such as one of its webhooks.
    `plan_at`: when to look at it next; empty while there is nothing to tell.
    """

    class Level(models.IntegerChoices):
        """Whoever was told of a trouble is told again only when its level rises."""

        WAITS = 1  # it may come back by itself
        ACTION = 2  # it stays until a person does something

    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, null=True, related_name="troubles"
    )
    kind = models.CharField(max_length=20)
    key = models.CharField(max_length=60, blank=True)
    level = models.PositiveSmallIntegerField(choices=Level.choices)
    reason = models.CharField(max_length=40, blank=True, help_text="Of a connection.")
    sentence = models.CharField(max_length=300, blank=True, help_text="Of others, in English.")
    next_step = models.CharField(max_length=300, blank=True, help_text="Of others, in English.")
    values: models.JSONField[Any] = models.JSONField(
        default=dict, help_text="What the sentence names."
    )
    path = models.CharField(
        max_length=200, blank=True, help_text="Its page, if not the connection."
    )
    began_at = models.DateTimeField()
    due_at = models.DateTimeField(help_text="From when people are told.")
    ended_at = models.DateTimeField(null=True)
    recovered = models.BooleanField(
        default=False, help_text="It ended well; else nobody needs to hear of its end."
    )
    plan_at = models.DateTimeField(null=True, db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "kind", "key"],
                condition=Q(ended_at=None),
                name="one_open_trouble_per_thing",
            )
        ]
        indexes = [models.Index(fields=["organization", "ended_at"])]

    def __str__(self) -> str:
        return f"{self.kind} of {self.organization_id}: {self.reason or self.sentence}"

    @property
    def thing(self) -> Thing:
        """What is in trouble."""
        return self.organization_id, self.kind, self.key


class PlanLock(models.Model):
    """The one row whose lock lets a worker plan, so that no two tell the same."""

    def __str__(self) -> str:
        return "plan"
