"""Why a backup or a restore did not happen; each text is one for people."""


class BackupError(Exception):
    """Nothing was written, or nothing was changed."""


class Damaged(BackupError):
    """An archive is no backup, is incomplete, or has other content than was written."""


class NotUndone(Exception):
    """A restore failed and left something changed; the text says what."""
