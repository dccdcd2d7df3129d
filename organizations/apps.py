import importlib

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as lazy


class OrganizationsConfig(AppConfig):
    name = "organizations"
    verbose_name = lazy("Organizations")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Importing the module connects its signal receivers.
        importlib.import_module("organizations.account_signals")
