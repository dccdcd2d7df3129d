"""Parses whatsmeow's device identifiers (JIDs)."""


def number_of(jid: object) -> str:
    """Return the number in 5511999990000:3@s.whatsapp.net or 5511999990000.0:3@s.whatsapp.net."""
    return str(jid).partition("@")[0].partition(":")[0].partition(".")[0]
