"""Messages of the linked numbers: the outbox, the inbox, contacts, media and pacing."""
