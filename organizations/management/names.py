"""Validation of names that are given to commands."""

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from organizations.names import validate_name


def checked_name(text: str, max_length: int) -> str:
    """Return the name without surrounding white space. Raises CommandError if it is invalid."""
    name = text.strip()
    if not 1 <= len(name) <= max_length:
        raise CommandError(f"NAME must have 1 to {max_length} characters.")
    try:
        validate_name(name)
    except ValidationError as error:
        raise CommandError(f"{name!a} is no name. {error.message}") from error
    return name
