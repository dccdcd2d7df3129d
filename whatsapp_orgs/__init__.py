"""Wiring of the project: settings, URLs, ASGI, the API's shape, and the commands that run it."""

__version__ = "0.1.0"
