#!/usr/bin/env python
"""Django's command-line utility, with the project's settings."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

from whatsapp_orgs import garbage_collection

if __name__ == "__main__":
    garbage_collection.postpone()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "whatsapp_orgs.settings")
    if sys.argv[1:2] != ["collectstatic"]:
        # The database, credentials and logs are for this user only, and for no process started from
        # here. A web server in front must be able to read what collectstatic writes.
        os.umask(0o077)
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"whatsapp_orgs: {error}")
