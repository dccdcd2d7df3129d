"""The proxies of organizations: how their connections to WhatsApp leave this installation."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as lazy

from organizations.encryption import EncryptedJSONField
from organizations.models import Organization
from outbound.tunnel import Proxy, TunnelProblem

NAME_LENGTH, HOST_LENGTH, LOGIN_LENGTH = 40, 253, 255


class OrganizationProxy(models.Model):
    """An organization's proxy, for pairing, the link and media. Only `actions` writes it."""

    # A try takes at most ten seconds; a process that was killed in one holds nothing up.
    TRY_TIMEOUT = timedelta(seconds=20)

    class Scheme(models.TextChoices):
        HTTP = "http", "HTTP"
        HTTPS = "https", "HTTPS"
        SOCKS5 = "socks5", "SOCKS5"

    organization = models.OneToOneField(
        Organization, on_delete=models.CASCADE, primary_key=True, related_name="proxy"
    )
    name = models.CharField(
        lazy("name"), max_length=NAME_LENGTH, help_text="What operators see of it."
    )
    scheme = models.CharField(lazy("kind"), max_length=10, choices=Scheme.choices)
    host = models.CharField(lazy("host"), max_length=HOST_LENGTH)
    port = models.PositiveIntegerField(lazy("port"))
    login: EncryptedJSONField = EncryptedJSONField(
        null=True, help_text="User and password, which nobody sees again."
    )
    changed_at = models.DateTimeField(default=timezone.now)
    try_began_at = models.DateTimeField(null=True, help_text="Empty: none is under way.")
    tried_at = models.DateTimeField(null=True, help_text="When the last try ended.")
    milliseconds = models.PositiveIntegerField(
        null=True, help_text="How long it took to WhatsApp; empty: it did not get there."
    )
    problem = models.CharField(
        max_length=20, blank=True, choices=[(each.value, each.value) for each in TunnelProblem]
    )
    detail = models.CharField(max_length=300, blank=True)

    class Meta:
        verbose_name = lazy("proxy")
        verbose_name_plural = lazy("proxies")

    def __str__(self) -> str:
        return self.name

    @property
    def has_login(self) -> bool:
        """Whether it has a user and a password."""
        return self.login is not None

    @property
    def target(self) -> Proxy:
        """What to connect to. Raises Undecryptable when read without the right key."""
        login: dict[str, Any] = self.login or {}
        return Proxy(
            str(self.scheme),
            self.host,
            self.port,
            login.get("username", ""),
            login.get("password", ""),
        )

    @property
    def address(self) -> str:
        """Kind, host and port, without user and password."""
        return self.target.shown

    def try_ends_at(self, now: datetime) -> datetime | None:
        """Return by when a try that is under way has ended, None if there is none."""
        if self.try_began_at is None or self.try_began_at + self.TRY_TIMEOUT <= now:
            return None
        return self.try_began_at + self.TRY_TIMEOUT
