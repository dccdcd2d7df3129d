"""The project's own app: registers its system checks and signal receivers."""

from importlib import import_module

from django.apps import AppConfig


class WhatsappOrgsConfig(AppConfig):
    name = "whatsapp_orgs"

    def ready(self) -> None:
        import_module("whatsapp_orgs.checks")
        # Registers the receivers of login signals.
        import_module("whatsapp_orgs.login.lockout")
