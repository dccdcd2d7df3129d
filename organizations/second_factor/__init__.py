"""The second factor of a login: an authenticator app (TOTP) and recovery codes, by django-otp.

A login that has passed only the password is no login yet: its session names no user, so it opens
nothing, and no view has to think of it (sessions.py).
"""
