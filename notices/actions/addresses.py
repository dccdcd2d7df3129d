"""Add, confirm, stop and remove addresses, and choose what they are told."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone

from connections import broadcast
from notices.actions.troubles import NOTICES
from notices.links import is_configured
from notices.models import Address, Choice, Notice, Preferences
from notices.models.addresses import new_nonce
from notices.refusals import NoticeRefused, Problem
from organizations.access import Actor
from organizations.audit import Action, log_audit
from organizations.models import Organization

Kind = Address.Kind

MAX_ADDRESSES = 10
MAIL_LENGTH = 254
# Confirmations and tests that one person may ask for: nobody shall be flooded with them.
ASKED_FOR, ASKED_WITHIN = 10, timedelta(hours=1)


@transaction.atomic
def add(user: User, kind: Address.Kind, target: str, actor: Actor) -> Address:
    """Add an address of a person, and ask it to confirm itself. Raises NoticeRefused."""
    if not is_configured():
        raise NoticeRefused(Problem.NOT_CONFIGURED)
    if kind == Kind.MAIL and not settings.EMAIL_URL:
        raise NoticeRefused(Problem.NO_MAIL)
    label = _mail_label(target) if kind == Kind.MAIL else _chat_label(target)
    # Locked, so that two requests at once count each other.
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    if Address.objects.filter(user=user).count() >= MAX_ADDRESSES:
        raise NoticeRefused(Problem.TOO_MANY)
    address = Address.objects.create(user=user, kind=kind, target=target, label=label)
    _ask(address, Notice.Kind.CONFIRM)
    log_audit(Action.NOTICE_ADDRESS_ADDED, None, actor, _detail(address))
    return address


@transaction.atomic
def ask_again(address: Address) -> None:
    """Ask an address once more to confirm itself. Raises NoticeRefused."""
    if address.confirmed_at is None:
        _ask(address, Notice.Kind.CONFIRM)


@transaction.atomic
def send_test(address: Address) -> None:
    """Send a test to a confirmed address. Raises NoticeRefused."""
    if address.confirmed_at is not None:
        _ask(address, Notice.Kind.TEST)


@transaction.atomic
def confirm(address: Address) -> None:
    """Begin to tell an address. Links that were made before do not work again."""
    now = timezone.now()
    Address.objects.filter(pk=address.pk, confirmed_at=None).update(
        confirmed_at=now, on_since=now, nonce=new_nonce()
    )


@transaction.atomic
def stop(address: Address, actor: Actor) -> None:
    """Tell an address nothing more, until its person turns it on again."""
    if Address.objects.filter(pk=address.pk).exclude(on_since=None).update(on_since=None):
        log_audit(Action.NOTICE_ADDRESS_STOPPED, None, actor, _detail(address))


def turn_on(address: Address) -> None:
    """Tell a confirmed address again, of what happens from now on."""
    rows = Address.objects.filter(pk=address.pk, on_since=None).exclude(confirmed_at=None)
    rows.update(on_since=timezone.now())


@transaction.atomic
def remove(address: Address, actor: Actor) -> None:
    """Delete an address. What waits for it is not sent."""
    log_audit(Action.NOTICE_ADDRESS_REMOVED, None, actor, _detail(address))
    address.delete()


def save_preferences(preferences: Preferences) -> None:
    """Store how a person is told."""
    preferences.save()


@transaction.atomic
def choose(address: Address, organization: Organization, told: bool, actor: Actor) -> None:
    """Let an address be told of an organization, or not. What another person chooses is audited."""
    rows = Choice.objects.filter(address=address, organization=organization)
    if told == address.everywhere:
        rows.delete()
    else:
        Choice.objects.update_or_create(
            address=address, organization=organization, defaults={"told": told}
        )
    if actor.user != address.user:
        detail = f"{_detail(address)}: {'on' if told else 'off'}"
        log_audit(Action.NOTICES_CHANGED, organization, actor, detail)


def set_everywhere(address: Address, everywhere: bool) -> None:
    """Tell an address of all organizations, or of none, until its person chooses otherwise."""
    Address.objects.filter(pk=address.pk).update(everywhere=everywhere)


def _ask(address: Address, kind: Notice.Kind) -> None:
    """Make a notice that a person has asked for. Raises NoticeRefused."""
    since = timezone.now() - ASKED_WITHIN
    asked = Notice.objects.filter(user=address.user, created_at__gte=since)
    if asked.filter(kind__in=[Notice.Kind.CONFIRM, Notice.Kind.TEST]).count() >= ASKED_FOR:
        raise NoticeRefused(Problem.TOO_OFTEN)
    Notice.objects.create(user=address.user, address=address, label=address.label, kind=kind)
    broadcast.notify_work(NOTICES)


def _mail_label(target: str) -> str:
    try:
        validate_email(target)
    except ValidationError:
        raise NoticeRefused(Problem.BAD_MAIL) from None
    if len(target) > MAIL_LENGTH:
        raise NoticeRefused(Problem.BAD_MAIL)
    return target


def _chat_label(target: str) -> str:
    # It takes a quarter of a second to import.
    from notices import chats

    try:
        return chats.label_of(target)
    except chats.SeveralTargets:
        raise NoticeRefused(Problem.SEVERAL_CHATS) from None
    except chats.ChatRefused:
        raise NoticeRefused(Problem.BAD_CHAT) from None


def _detail(address: Address) -> str:
    """Return what the audit says of an address: the domain of a mail, the service of a chat."""
    if address.kind == Kind.MAIL:
        return f"{address.user.get_username()}: mail at {address.label.rpartition('@')[2]}"
    return f"{address.user.get_username()}: {address.label}"
