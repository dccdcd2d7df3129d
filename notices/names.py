"""Names of organizations as notices write them: one line, which neither links nor calls anybody."""

from __future__ import annotations

import re
import unicodedata

from organizations.names import JOINERS

MAX_LENGTH = 80
_WITH_DOT = re.compile(r"(?<=\w)\.(?=\w)")
# What chats take for markup, mentions or links, and signs that look like it and mean nothing.
_SIGNS = str.maketrans("@<>&#*_~`|[]\\", "＠‹›＆＃∗＿∼ˋ｜［］＼")


def clean(name: str) -> str:
    """Return a name for a mail: visible characters of one line, and no link."""
    visible = "".join(" " if _is_blank(character) else character for character in name)
    line = " ".join(visible.split())
    # Mail programs make links of what looks like a host.
    line = _WITH_DOT.sub("\N{ONE DOT LEADER}", line.replace("://", ": "))
    return line if len(line) <= MAX_LENGTH else line[: MAX_LENGTH - 1] + "…"


def clean_for_chat(name: str) -> str:
    """Return a name for a chat: without what it takes for markup or for a mention."""
    return clean(name).translate(_SIGNS)


def _is_blank(character: str) -> bool:
    if character in JOINERS:
        return False  # The emoji of families need them.
    return unicodedata.category(character).startswith(("C", "Z"))
