"""The project's own app: its settings are checked when everything is loaded."""

from importlib import import_module

from django.apps import AppConfig


class WhatsappOrgsConfig(AppConfig):
    name = "whatsapp_orgs"

    def ready(self) -> None:
        import_module("whatsapp_orgs.checks")
        # Its receivers hear of every login.
        import_module("whatsapp_orgs.login.lockout")
