"""Template tags about webhooks."""
