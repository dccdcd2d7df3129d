"""Backups: database, credentials and files of messages in one archive, and back again.

`create.py` writes one while the service runs, `restore.py` reads one while it does not;
docs/backup.md says what is in it, in which order, and why.
"""
