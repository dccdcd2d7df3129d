"""Logins: the lockout, password hashing, and the end of unused sessions."""
