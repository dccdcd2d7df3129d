"""The settings for pytest and mypy, with a new data folder.

They are not in the top-level `tests`, because mypy's plugin would find installed packages of that
name first.
"""

import os
import secrets

from whatsapp_orgs.tests.support import isolation

isolation.isolate()

# So that reading the settings writes no file. Processes of tests create their own key.
os.environ["SECRET_KEY"] = secrets.token_urlsafe(48)

from whatsapp_orgs.settings import *  # noqa: E402, F403

MIDDLEWARE = [
    "whatsapp_orgs.tests.support.static_files.SharedStaticFiles"
    if name == "whitenoise.middleware.WhiteNoiseMiddleware"
    else name
    for name in MIDDLEWARE  # noqa: F405
]

PASSWORD_HASHERS = ["whatsapp_orgs.tests.support.quick_hashing.QuickPasswordHasher"]

del os.environ["SECRET_KEY"]
os.environ["DJANGO_SETTINGS_MODULE"] = "whatsapp_orgs.settings"
