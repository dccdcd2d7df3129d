"""What a change of a user's account ends: their keys do not outlive the person's right.

Accounts are Django's, and changed in many ways (admin, commands, a shell), so these are receivers
of the model's own signals:

- made inactive, or deleted: all tokens that they made, of theirs and of organizations;
- no superuser any more: organizations' tokens that they made where they are no owner;
- both: their invitations there, and what receivers of `keys.access_ended` end;
- a new password: tokens that stand for them, and what was made with these. Django itself ends the
  sessions.

An attribute `changed_by` (an Actor) on the user tells who did it, and `keep_tokens` = True keeps
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

from organizations.actors import Actor
from organizations.keys import end_keys, own_tokens, revoke_trees
from organizations.models import Organization

FIELDS = ("password", "is_active", "is_superuser")


@dataclass
class AccountChange:
    """What a save takes away from a user."""

    deactivated: bool
    demoted: bool
    new_password: bool

    @classmethod
    def of(cls, stored: User, user: User, fields: frozenset[str]) -> AccountChange:
        """Compare a stored user with one about to be saved; `fields` are those that are written."""
        # Django saves a hash anew at a login when its iterations have been raised: no new password.
        chosen = user._password is not None or not user.has_usable_password()  # type: ignore[attr-defined]
        return cls(
            "is_active" in fields and stored.is_active and not user.is_active,
            "is_superuser" in fields and stored.is_superuser and not user.is_superuser,
            "password" in fields and stored.password != user.password and chosen,
        )


@receiver(pre_save, sender=User)
def note_change(
    sender: type[User],
    instance: User,
    raw: bool,
    update_fields: frozenset[str] | None = None,
    **kwargs: Any,
) -> None:
    """Remember on the user what the save takes away; the row of before is gone after it."""
    instance.account_change = None  # type: ignore[attr-defined]
    fields = frozenset(FIELDS) & (frozenset(FIELDS) if update_fields is None else update_fields)
    if raw or not fields or instance.pk is None:
        return
    stored = User.objects.filter(pk=instance.pk).only(*FIELDS).first()
    if stored is not None:
        instance.account_change = AccountChange.of(stored, instance, fields)  # type: ignore[attr-defined]


@receiver(post_save, sender=User)
def end_lost_keys(sender: type[User], instance: User, **kwargs: Any) -> None:
    """End what the change has taken the right from, in the save's transaction if it has one."""
    change: AccountChange | None = getattr(instance, "account_change", None)
    if change is None or not (change.deactivated or change.demoted or change.new_password):
        return
    actor = getattr(instance, "changed_by", None) or Actor("account change", instance)
    with transaction.atomic():
        # Locked like every other change of keys: a token that is being made is seen, or refused.
        User.objects.select_for_update(no_key=True).get(pk=instance.pk)
        if change.deactivated or change.new_password:
            revoke_trees(own_tokens(instance).select_related("organization"), actor)
        if change.deactivated or change.demoted:
            keep = bool(getattr(instance, "keep_tokens", False))
            by_them = Q(tokens__user=instance) | Q(invitations__invited_by=instance)
            made_in = Organization.objects.filter(by_them).distinct()
            end_keys(instance, list(made_in), actor, revoke_tokens=not keep)


@receiver(pre_delete, sender=User)
def end_keys_of_deleted(sender: type[User], instance: User, **kwargs: Any) -> None:
    """Make a user inactive first: what they began ends, while it is known that they began it."""
    if instance.is_active:
        instance.is_active = False
        instance.save(update_fields=["is_active"])
