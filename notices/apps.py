import importlib

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as lazy


class NoticesConfig(AppConfig):
    name = "notices"
    verbose_name = lazy("Notices")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Importing the module connects its signal receivers.
        importlib.import_module("notices.actions.troubles")
