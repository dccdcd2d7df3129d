"""Names that commands are given."""

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from organizations.names import validate_name


def checked_name(text: str, longest: int) -> str:
    """Return a name without the space around it. Raises CommandError when it is none."""
    name = text.strip()
    if not 1 <= len(name) <= longest:
        raise CommandError(f"NAME must have 1 to {longest} characters.")
    try:
        validate_name(name)
    except ValidationError as error:
        raise CommandError(f"{name!a} is no name. {error.message}") from error
    return name
