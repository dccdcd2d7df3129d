from django.apps import AppConfig
from django.utils.translation import gettext_lazy as lazy


class MessagingConfig(AppConfig):
    name = "messaging"
    verbose_name = lazy("Messages")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from messaging import media_cleanup, organization_deletion  # noqa: F401
