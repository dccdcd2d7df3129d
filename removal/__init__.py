"""Removes an organization for good: shows what goes, exports it, deletes it bit by bit."""
