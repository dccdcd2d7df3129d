"""The REST API of one organization's connection."""
