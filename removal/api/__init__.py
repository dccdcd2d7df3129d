"""The REST API of removals, for administrators."""
