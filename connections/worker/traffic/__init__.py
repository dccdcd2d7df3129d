"""Moves messages between the clients of this worker and the database."""
