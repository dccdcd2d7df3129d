"""The second factor of a login: an authenticator app (TOTP) and recovery codes, with django-otp.

After the password alone, the session has no user yet (sessions.py). So other views need no check
for a half-finished login.
"""
