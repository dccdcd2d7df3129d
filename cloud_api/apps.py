from django.apps import AppConfig
from django.utils.translation import gettext_lazy as lazy


class CloudApiConfig(AppConfig):
    name = "cloud_api"
    verbose_name = lazy("Cloud API")
    default_auto_field = "django.db.models.BigAutoField"
