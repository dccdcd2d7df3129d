"""The Django project: settings, URLs, ASGI, the API's root, and the commands that run it."""

__version__ = "0.1.0"
