"""The routes below an organization's connection page, and those of the installation."""

from django.contrib import admin
from django.urls import path

from removal.admin import retention, views

_view = admin.site.admin_view

organization_urlpatterns = [
    path("settings/remove/", _view(views.remove_view), name="organization_remove"),
    path("settings/retention/", _view(retention.retention_view), name="organization_retention"),
    path("settings/archive/", _view(views.archive_view), name="organization_archive"),
]

installation_urlpatterns = [
    path("", _view(views.removals_view), name="removals"),
    path("<int:organization_id>/", _view(views.removal_view), name="removal"),
    path("<int:organization_id>/logout/", _view(views.logout_view), name="removal_logout"),
]
