from django.apps import AppConfig
from django.utils.translation import gettext_lazy as lazy


class CloudApiConfig(AppConfig):
    name = "cloud_api"
    verbose_name = lazy("Cloud API")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from cloud_api.webhook_format import CloudFormat
        from webhooks.formats import register

        register(CloudFormat())
