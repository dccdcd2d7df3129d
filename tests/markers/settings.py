"""The product's settings, with addresses beside the real ones that crash and that leak."""

from whatsapp_orgs.settings import *  # noqa: F403

ROOT_URLCONF = "tests.markers.urls"
