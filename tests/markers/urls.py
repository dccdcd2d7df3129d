"""A view that crashes with a secret in a local variable, and one that leaks its body."""

from __future__ import annotations

import logging
import os
import subprocess

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from organizations.models import AuditEntry
from whatsapp_orgs import urls

handler400, handler500 = urls.handler400, urls.handler500
logger = logging.getLogger(__name__)


@csrf_exempt
def crash(request: HttpRequest, rest: str) -> HttpResponse:
    """Raise RuntimeError with the input in a local variable."""
    typed = request.POST["password"]
    raise RuntimeError(f"a crash with {len(typed)} characters")


@csrf_exempt
def leak(request: HttpRequest) -> HttpResponse:
    """Leak the body to each place. Returns the process group that has it, too."""
    text = request.body.decode()
    logger.warning("leaked: %s", text)
    AuditEntry.objects.create(actor=text, action=AuditEntry.Action.TOKEN_REVOKED)
    Group.objects.create(name=text)
    (settings.DATA_DIR / "leaked").write_text(text)
    layer = get_channel_layer()
    assert layer is not None
    async_to_sync(layer.group_send)("leaked", {"type": "leaked", "text": text})
    cache.set("leaked", text)
    process = subprocess.Popen(
        ["sh", "-c", f"sleep 60; : {text}"],
        env={"DATA_DIR": os.environ["DATA_DIR"], "LEAKED": text},
        start_new_session=True,
    )
    return HttpResponse(f"{process.pid} {text}", status=500)


urlpatterns = [
    path("crash/<str:rest>", crash),
    path("leak", leak),
    *urls.urlpatterns,
]
