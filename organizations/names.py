"""Validation of names: one line of visible text.

A line break in a name can fake a line of a log or of a list; a bidi override makes a name look like
another one. Both are refused, and so are control characters, invisible characters and empty names.
"""

from __future__ import annotations

import re
import unicodedata

from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

# U+0085 is a line break, too; Zl and Zp are U+2028 and U+2029.
LINE_BREAKS = frozenset("\t\n\v\f\r\x85\u2028\u2029")
BIDI_CONTROLS = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
# Persian and the languages of India need them, and so do the emoji of families.
JOINERS = frozenset("\u200c\u200d")
# Blank, although Unicode calls them letters.
FILLERS = frozenset("\u115f\u1160\u3164\uffa0")
# Invisible on their own; they modify the letter or the emoji before them.
_MARKS = re.compile(
    "[\u034f\u17b4\u17b5\u180b-\u180d\u180f\u2800\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)
# The invisible format characters (Cf); the other ones are visible signs of Arabic, Syriac, Kaithi
# and Egyptian.
_IGNORABLE = re.compile(
    "[\u00ad\u180e\u200b\u2060-\u2065\u206a-\u206f\ufeff\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff]"
)


def validate_name(text: str) -> None:
    """Raise ValidationError for an invalid name, with the character to remove."""
    for character in text:
        code = f"U+{ord(character):04X}"
        if character in LINE_BREAKS:
            raise ValidationError(
                _("A name is one line: remove the line break or tab ({code}).").format(code=code)
            )
        if _is_control(character):
            raise ValidationError(_("Remove the control character {code}.").format(code=code))
        if character in BIDI_CONTROLS:
            raise ValidationError(
                _("Remove {code}, which changes the direction of writing.").format(code=code)
            )
        if _is_invisible(character):
            raise ValidationError(_("Remove the invisible character {code}.").format(code=code))
    if not _has_visible_character(text):
        raise ValidationError(_("A name must have a character that can be seen."))


_validate_characters = UnicodeUsernameValidator()


def validate_username(text: str) -> None:
    """Raise ValidationError for an invalid name, or one with characters that Django refuses."""
    _validate_characters(text)
    validate_name(text)


def _is_control(character: str) -> bool:
    # Cs: a lone surrogate, from bytes on the command line that are not UTF-8.
    return unicodedata.category(character) in ("Cc", "Cs")


def _is_invisible(character: str) -> bool:
    return character in FILLERS or _IGNORABLE.match(character) is not None


def _has_visible_character(text: str) -> bool:
    return any(
        not character.isspace() and character not in JOINERS and not _MARKS.match(character)
        for character in text
    )
