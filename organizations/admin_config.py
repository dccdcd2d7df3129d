"""In INSTALLED_APPS instead of django.contrib.admin; beside apps.py, which may hold one default."""

from django.contrib.admin.apps import AdminConfig


class OrgsAdminConfig(AdminConfig):
    """Django admin, on a site of our own."""

    default_site = "organizations.admin_site.OrgsAdminSite"
