"""Management commands for organizations."""
