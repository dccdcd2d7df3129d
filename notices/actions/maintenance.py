"""Delete what is not kept."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from notices.models import Address, Notice, Trouble

KEEP = timedelta(days=30)
UNCONFIRMED_FOR = timedelta(days=7)
BATCH = 1000


def clean() -> bool:
    """Delete a part of what is not kept. Return whether more is left.

    Notices and troubles are kept for 30 days after their end.
    """
    now = timezone.now()
    Address.objects.filter(confirmed_at=None, created_at__lt=now - UNCONFIRMED_FOR).delete()
    troubles = Trouble.objects.filter(ended_at__lt=now - KEEP, plan_at=None)
    notices = Notice.objects.filter(ended_at__lt=now - KEEP, tellings=None, earlier_tellings=None)
    old_troubles = list(troubles.order_by("pk").values_list("pk", flat=True)[:BATCH])
    Trouble.objects.filter(pk__in=old_troubles).delete()
    old = list(notices.order_by("pk").values_list("pk", flat=True)[:BATCH])
    Notice.objects.filter(pk__in=old).delete()
    return BATCH in (len(old), len(old_troubles))
