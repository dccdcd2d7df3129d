"""The product's settings, with additional URLs that crash and leak."""

from whatsapp_orgs.settings import *  # noqa: F403

ROOT_URLCONF = "tests.markers.urls"
