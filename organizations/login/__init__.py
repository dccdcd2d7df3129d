"""Limits of failed logins, by network, by name and by known browser."""
