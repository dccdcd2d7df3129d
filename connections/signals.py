"""Signals of connections, for apps that connections do not know."""

from django.dispatch import Signal

connection_changed = Signal()
"""Sent in the transaction of a change, with the keyword arguments `event`, the ConnectionEvent, and
`connection`. An exception in a receiver rolls the change back."""
