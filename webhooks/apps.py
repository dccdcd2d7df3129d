import importlib

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as lazy


class WebhooksConfig(AppConfig):
    name = "webhooks"
    verbose_name = lazy("Webhooks")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Importing the modules connects their signal receivers.
        for module in ("lost_rights", "erasure"):
            importlib.import_module(f"webhooks.actions.{module}")
