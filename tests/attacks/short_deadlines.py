"""The product's settings with short client deadlines for tests."""

from whatsapp_orgs.settings import *  # noqa: F403

CLIENT_DEADLINES = {"request": 5.0, "idle": 8.0, "read": 5.0}
