import importlib

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as lazy


class ConnectionsConfig(AppConfig):
    name = "connections"
    verbose_name = lazy("Connections")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Their receivers are connected on import.
        for module in ("lost_rights", "activity"):
            importlib.import_module(f"connections.actions.{module}")
