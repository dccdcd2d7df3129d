"""Webhooks: the log of each organization, sent to addresses that its owners name."""
