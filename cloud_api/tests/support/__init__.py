"""Helpers for tests of the façade."""
