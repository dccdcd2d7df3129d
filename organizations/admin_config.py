"""The app config in INSTALLED_APPS that replaces django.contrib.admin.

It is not in apps.py, where Django expects a single default app config.
"""

from django.contrib.admin.apps import AdminConfig


class OrgsAdminConfig(AdminConfig):
    """Django admin with OrgsAdminSite as the default site."""

    default_site = "organizations.admin_site.OrgsAdminSite"
