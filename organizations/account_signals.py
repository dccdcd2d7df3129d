"""Revokes tokens and invitations when a user's account changes.

Django's accounts are changed in many ways (admin, commands, a shell), so these are receivers of
the model's signals:

- a user becomes inactive or is deleted: revokes all tokens that they created, their own and
  organizations';
- a user is no longer a superuser: revokes the organizations' tokens that they created where they
  are not an owner;
- in both cases: ends their invitations there, and sends `revocation.access_ended`;
- a new password: revokes their personal tokens, and the tokens created with these. Django ends the
  sessions.

The attribute `changed_by` (an Actor) on the user says who did it, and `keep_tokens` = True keeps
the organizations' tokens; the admin sets both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.db.models.signals import post_save, pre_delete, pre_save
from django.dispatch import receiver

from organizations.access import Actor
from organizations.models import Organization
from organizations.revocation import personal_tokens, revoke_lost_access, revoke_trees

FIELDS = ("password", "is_active", "is_superuser")


@dataclass
class AccountChange:
    """The rights that a save takes away from a user."""

    deactivated: bool
    demoted: bool
    new_password: bool

    @classmethod
    def of(cls, stored: User, user: User, fields: frozenset[str]) -> AccountChange:
        """Compare the stored user with the one about to be saved; `fields` are written."""
        # A login rehashes the password when Django raised the iterations: not a new password.
        password_was_set = user._password is not None or not user.has_usable_password()  # type: ignore[attr-defined]
        return cls(
            "is_active" in fields and stored.is_active and not user.is_active,
            "is_superuser" in fields and stored.is_superuser and not user.is_superuser,
            "password" in fields and stored.password != user.password and password_was_set,
        )


@receiver(pre_save, sender=User)
def remember_account_change(
    sender: type[User],
    instance: User,
    raw: bool,
    update_fields: frozenset[str] | None = None,
    **kwargs: Any,
) -> None:
    """Store an AccountChange on the user before the save overwrites the old row."""
    instance.account_change = None  # type: ignore[attr-defined]
    fields = frozenset(FIELDS) & (frozenset(FIELDS) if update_fields is None else update_fields)
    if raw or not fields or instance.pk is None:
        return
    stored = User.objects.filter(pk=instance.pk).only(*FIELDS).first()
    if stored is not None:
        instance.account_change = AccountChange.of(stored, instance, fields)  # type: ignore[attr-defined]


@receiver(post_save, sender=User)
def apply_account_change(sender: type[User], instance: User, **kwargs: Any) -> None:
    """Revoke what the user lost the right to, in the save's transaction if it has one."""
    change: AccountChange | None = getattr(instance, "account_change", None)
    if change is None or not (change.deactivated or change.demoted or change.new_password):
        return
    actor = getattr(instance, "changed_by", None) or Actor("account change", instance)
    with transaction.atomic():
        # Same lock as token creation: a concurrent new token is either revoked here or refused.
        User.objects.select_for_update(no_key=True).get(pk=instance.pk)
        if change.deactivated or change.new_password:
            revoke_trees(personal_tokens(instance).select_related("organization"), actor)
        if change.deactivated or change.demoted:
            keep = bool(getattr(instance, "keep_tokens", False))
            created_by_user = Q(tokens__user=instance) | Q(invitations__invited_by=instance)
            affected = Organization.objects.filter(created_by_user).distinct()
            revoke_lost_access(instance, list(affected), actor, revoke_tokens=not keep)


@receiver(pre_delete, sender=User)
def deactivate_before_delete(sender: type[User], instance: User, **kwargs: Any) -> None:
    """Deactivate a user before the deletion, while their rows still refer to them."""
    if instance.is_active:
        instance.is_active = False
        instance.save(update_fields=["is_active"])
