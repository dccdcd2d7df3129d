from django.apps import AppConfig
from django.utils.translation import gettext_lazy as lazy


class RemovalConfig(AppConfig):
    name = "removal"
    verbose_name = lazy("Removal of organizations")
    default_auto_field = "django.db.models.BigAutoField"
