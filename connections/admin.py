"""Connections in Django admin."""
