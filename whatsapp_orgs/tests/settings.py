"""The product's settings for pytest and mypy: on a data folder of their own.

They are not in the folder `tests`, because installed packages bring a `tests` of their own, and
mypy's plugin looks there first.
"""

import os
import secrets

from whatsapp_orgs.tests.support import isolation

isolation.isolate()

# Nothing is written for as long as nobody but mypy reads these settings. What tests start makes a
# key of its own, under the product's settings.
os.environ["SECRET_KEY"] = secrets.token_urlsafe(48)

from whatsapp_orgs.settings import *  # noqa: E402, F403

del os.environ["SECRET_KEY"]
os.environ["DJANGO_SETTINGS_MODULE"] = "whatsapp_orgs.settings"
