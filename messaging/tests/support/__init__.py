"""Helpers for tests of messages."""
