"""One thing in which a version of neonize is not what the product relies on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher


@dataclass(frozen=True)
class Difference:
    """`what` differs, `where` we rely on it, and what that `means`."""

    what: str
    where: str
    means: str

    def as_json(self) -> dict[str, str]:
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.what}\n    relied on in: {self.where}\n    it means: {self.means}"


def changed_signature(theirs: Sequence[str], ours: Sequence[str]) -> str:
    """Return in which arguments, or results (the first), a function is not what we declare."""
    words = []
    for kind, start, end, their_start, their_end in SequenceMatcher(
        a=ours, b=theirs, autojunk=False
    ).get_opcodes():
        if kind == "equal":
            continue
        place = f"argument {start}" if start else "it"
        before, after = ", ".join(ours[start:end]), ", ".join(theirs[their_start:their_end])
        if kind == "replace" and start:
            words.append(f"{place} is {after}, not {before}")
        elif kind == "replace":
            words.append(f"it returns {after}, not {before}")
        else:
            words.append(f"{place} ({before or after}) is {'gone' if before else 'new'}")
    return "; ".join(words)
