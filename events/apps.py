from django.apps import AppConfig
from django.utils.translation import gettext_lazy as lazy


class EventsConfig(AppConfig):
    name = "events"
    verbose_name = lazy("Events")
    default_auto_field = "django.db.models.BigAutoField"
