"""The REST API of messages: sending, reading, the feed of events, and media."""
