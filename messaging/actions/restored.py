"""What becomes of messages that had not left when a backup was made, and that is restored now.

They have probably left since. So nothing of that is sent by itself: what was being sent is unknown,
and what waited is held, and does not expire, until a person decides. These are statements, as the
database is not Django's yet when they run; no event is logged, because to readers of the log that
time never was.
"""

from __future__ import annotations

HOLD_WAITING = (
    "UPDATE messaging_message SET state = 'unknown', reason = 'host_gone',"
    " ended_at = CURRENT_TIMESTAMP WHERE state = 'sending'",
    "UPDATE messaging_message SET state = 'held', reason = 'restored' WHERE state = 'queued'",
)
"""Run both; the second one changes the rows that a person has to decide about."""
