"""Signals of organizations, for apps that organizations do not know."""

from django.dispatch import Signal

activity_changed = Signal()
"""Sent in the transaction that deactivates or reactivates an organization."""
