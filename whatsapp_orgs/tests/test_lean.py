"""A process that serves loads what requests need at once, and nothing heavy beside it."""

import subprocess
import sys

from django.conf import settings

# Each weighs between one and ten MiB, and is loaded by whoever needs it.
HEAVY = (
    "OpenSSL PIL autobahn.wamp.message cbor2 cffi cryptography django.test docutils "
    "drf_spectacular.openapi phonenumbers psycopg pygments qrcode requests service_identity"
)
SCRIPT = f"""
import sys
from organizations import lean

with lean.absent("wave", "sys"):
    try:
        import wave
    except ImportError:
        print("hidden")
import wave
import django
django.setup()
print("twisted" in sys.modules)
import whatsapp_orgs.server, whatsapp_orgs.asgi, whatsapp_orgs.urls
import connections.worker.supervisor
print(*(name for name in {HEAVY!r}.split() if name in sys.modules))
"""


def test_nothing_heavy_is_loaded_at_the_start() -> None:
    environment = {
        "DJANGO_SETTINGS_MODULE": "whatsapp_orgs.settings",
        "DATA_DIR": str(settings.DATA_DIR),
        "ENV_FILE": "",
        "DATABASE_URL": "",
        "REDIS_URL": "",
        "EMBEDDED_WORKER": "true",
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=settings.BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    hidden, twisted, heavy = done.stdout.splitlines()
    assert (hidden, twisted, heavy) == ("hidden", "False", "")
