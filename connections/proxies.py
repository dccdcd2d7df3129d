"""What people may set as their organization's proxy, what they see of it, and how it is tried."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from connections import actions, simulator_bridge
from connections.actions import ProxyValues, TryResult
from connections.detail_messages import translate_detail
from connections.lifecycle import Reason
from connections.models import OrganizationProxy
from connections.models.proxies import LOGIN_LENGTH
from connections.reason_texts import REASON_TEXTS
from connections.refusals import ProxyIsTried
from organizations.models import Organization
from organizations.names import validate_name
from outbound import limited_client
from outbound.errors import AddressRefused, TooManyRequests
from outbound.proxies import ProxyUnusable, check_proxy_host
from outbound.tunnel import TunnelFailed, TunnelProblem

WHATSAPP = "web.whatsapp.com"
BUSY_SECONDS = 5
REASONS = {
    TunnelProblem.UNREACHABLE: Reason.PROXY_UNREACHABLE,
    TunnelProblem.REFUSED: Reason.PROXY_REFUSED,
    TunnelProblem.UNTRUSTED: Reason.PROXY_UNTRUSTED,
}
BAD_HOST = _(
    "Write a host name or an IP address on the public internet, without http:// and without a port."
)
BAD_LOGIN = _(
    "User and password have at most 255 bytes each and no control characters, and a user no colon."
)
NO_USER = _("A password needs a user.")


def parse_values(data: Mapping[str, Any]) -> ProxyValues:
    """Return what a person sets. Raises ValidationError, by field.

    `data`: name, scheme, host, port; `username` and `password`, None for what is stored.
    """
    errors: dict[str, str | list[str]] = {}
    host, name = "", str(data["name"]).strip()
    try:
        validate_name(name)
    except ValidationError as error:
        errors["name"] = error.messages
    try:
        host = check_proxy_host(str(data["host"]))
    except AddressRefused:
        errors["host"] = gettext(BAD_HOST)
    username, password = data.get("username"), data.get("password")
    if password and not username:
        errors["username"] = gettext(NO_USER)
    elif not (_is_login(username or "") and _is_login(password or "")) or ":" in (username or ""):
        errors["username"] = gettext(BAD_LOGIN)
    if errors:
        raise ValidationError(errors)
    login = None if username is None else (username, password or "")
    return ProxyValues(name, str(data["scheme"]), host, int(data["port"]), login)


def _is_login(text: str) -> bool:
    return len(text.encode(errors="replace")) <= LOGIN_LENGTH and text.isprintable()


def name_of(organization: Organization) -> str:
    """Return the name of an organization's proxy, "" if it has none."""
    rows = OrganizationProxy.objects.filter(organization=organization)
    return rows.values_list("name", flat=True).first() or ""


def describe(proxy: OrganizationProxy, whole: bool) -> dict[str, Any]:
    """Return a proxy as the API shows it; without `whole`, not where it is."""
    return {
        "name": proxy.name,
        "kind": proxy.scheme if whole else None,
        "host": proxy.host if whole else None,
        "port": proxy.port if whole else None,
        "hasLogin": proxy.has_login if whole else None,
        "changedAt": proxy.changed_at,
        "lastTry": last_try(proxy),
    }


def last_try(proxy: OrganizationProxy) -> dict[str, Any] | None:
    """Return what came of the last try, None without one."""
    if proxy.tried_at is None:
        return None
    problem = TunnelProblem(proxy.problem) if proxy.problem else None
    result = TryResult(proxy.milliseconds, problem, proxy.detail)
    return {
        "at": proxy.tried_at,
        "milliseconds": proxy.milliseconds,
        "problem": REASONS[problem].value if problem else None,
        "sentence": sentence_of(result),
    }


def sentence_of(result: TryResult) -> str:
    """Return what came of a try, in the active language."""
    if result.problem is None:
        text = gettext("Reached WhatsApp in {milliseconds} ms.")
        return text.format(milliseconds=result.milliseconds)
    sentence = REASON_TEXTS[REASONS[result.problem]].sentence
    detail = translate_detail(result.detail)
    return f"{sentence.removesuffix('.')} ({detail})." if detail else sentence


def try_proxy(organization: Organization) -> TryResult:
    """Connect to WhatsApp through the organization's proxy, send nothing, and store the result.

    Raises OrganizationProxy.DoesNotExist, ProxyIsTried.
    """
    proxy = OrganizationProxy.objects.get(organization=organization)
    actions.begin_try(proxy)
    result = None
    try:
        result = _reach(proxy)
    except TooManyRequests as error:
        raise ProxyIsTried(BUSY_SECONDS) from error
    finally:
        actions.end_try(proxy, result)
    return result


def _reach(proxy: OrganizationProxy) -> TryResult:
    """Connect to WhatsApp, and return what came of it. Raises TooManyRequests."""
    try:
        milliseconds = limited_client.reach(
            proxy.target, WHATSAPP, 443, _ca_file(), proxy.organization_id
        )
    except TunnelFailed as failed:
        return TryResult(problem=failed.problem, detail=failed.detail)
    except ProxyUnusable as unusable:
        return TryResult(problem=TunnelProblem.UNREACHABLE, detail=str(unusable))
    return TryResult(milliseconds)


def _ca_file() -> str | None:
    """Return the file of the simulator's certificates, None with WhatsApp itself."""
    return str(simulator_bridge.description()["ca_file"]) if simulator_bridge.enabled() else None
