"""Signals of connections, for apps that connections do not know."""

from django.dispatch import Signal

connections_changed = Signal()
"""Sent in the transaction of changes of different connections, with the keyword argument `changes`:
each Connection with its ConnectionEvent. An exception in a receiver rolls the changes back."""
