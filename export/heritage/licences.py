"""Which licence a model may have that was made from something under another one.

The table is short on purpose and errs on the careful side: what it does not know may be followed by
itself only. It says what the licences' own texts allow; whether weights are an adaptation of the
music at all is a question that it leaves to others, and answers as if they were.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

NOT_STATED = "not stated"

# Kind of licence → the kinds that may follow it, the least demanding first.
# Public domain and CC0 ask for nothing. BSD, MIT and CC BY ask that their makers are named, which
# every later licence here does as well; what is under CC BY may not become MIT or BSD, which ask
# for less. Share-alike may only be followed by itself, non-commercial by licences
# that are so too, and both at once by both at once.
_NAMING = ("CC BY", "CC BY-SA", "CC BY-NC", "CC BY-NC-SA")
_OPEN = ("public domain", "CC0", "MIT", "BSD 2-Clause", "BSD 3-Clause", *_NAMING)
FOLLOWERS: dict[str, tuple[str, ...]] = {
    "public domain": _OPEN,
    "CC0": _OPEN,
    "MIT": ("MIT", *_NAMING),
    "BSD 2-Clause": ("BSD 2-Clause", "BSD 3-Clause", *_NAMING),
    "BSD 3-Clause": ("BSD 3-Clause", *_NAMING),
    "CC BY": _NAMING,
    "CC BY-SA": ("CC BY-SA",),
    "CC BY-NC": ("CC BY-NC", "CC BY-NC-SA"),
    "CC BY-NC-SA": ("CC BY-NC-SA",),
}

# Share-alike reaches to later versions of itself, not to earlier ones; its first version to none.
_SHARE_ALIKE = ("CC BY-SA", "CC BY-NC-SA")

_SPELLINGS = (
    (re.compile(r"(the )?(public domain|pd)( mark)?( 1 0)?"), "public domain"),
    (re.compile(r"(cc ?0|cc zero)( 1 0)?( universal)?"), "CC0"),
    (re.compile(r"(the )?mit( licen[cs]e)?"), "MIT"),
    (re.compile(r"(the )?bsd 2 clause( licen[cs]e)?"), "BSD 2-Clause"),
    (re.compile(r"(the )?bsd 3 clause( licen[cs]e)?"), "BSD 3-Clause"),
)
_CREATIVE = re.compile(
    r"(?:cc|creative commons) (?P<kind>by(?: nc)?(?: sa)?)"
    r"(?: (?P<major>[1-4]) (?P<minor>[05]))?(?: (?P<port>[a-z]{2}|international|unported))?(?: \?)?"
)


@dataclass(frozen=True, slots=True)
class Licence:
    """A licence of the table; `version` only where the kind has several, () if it was not told."""

    kind: str
    version: tuple[int, ...] = ()
    port: str = ""

    def __str__(self) -> str:
        if self.kind == "CC0":
            return "CC0 1.0"
        number = ".".join(map(str, self.version))
        return " ".join(part for part in (self.kind, number, self.port) if part)

    def follows(self, other: Licence) -> bool:
        """Whether what is made from something under `other` may be given away under this."""
        if self == other:
            return True
        if self.kind not in FOLLOWERS[other.kind]:
            return False
        if other.kind not in _SHARE_ALIKE:
            return True
        # Of a version that was not told, the latest is asked for and the earliest is offered.
        asked, offered = other.version or (4, 0), self.version or (0, 0)
        return asked[0] > 1 and offered >= asked


def known(text: str) -> Licence | None:
    """The licence of the table that a text names, however it is spelt: "CC-BY-SA-3.0-DE"."""
    words = " ".join(re.sub(r"[-_.,/()\s]+", " ", text.casefold()).replace("?", " ?").split())
    for pattern, kind in _SPELLINGS:
        if pattern.fullmatch(words):
            return Licence(kind)
    found = _CREATIVE.fullmatch(words)
    if found is None:
        return None
    _, *conditions = found["kind"].upper().split()
    kind = "CC " + "-".join(("BY", *conditions))
    version = (int(found["major"]), int(found["minor"])) if found["major"] else ()
    port = found["port"] or ""
    return Licence(kind, version, port.upper() if len(port) == 2 else "")


def may_follow(new: str, old: str) -> bool:
    """Whether `new` may be the licence of what is made from something under `old`."""
    if _plain(new) == _plain(old):
        return True
    offered, asked = known(new), known(old)
    return offered is not None and asked is not None and offered.follows(asked)


def strictest(texts: Iterable[str]) -> str | None:
    """The one of these licences that may follow all of them; None if there is none."""
    every = list(dict.fromkeys(texts))
    for text in every:
        if all(may_follow(text, other) for other in every):
            found = known(text)
            return text if found is None else str(found)
    return None


def followers(text: str) -> str:
    """What may follow a licence, in words for an error."""
    asked = known(text)
    if asked is None:
        return f"'{text}' itself"
    kinds = [kind for kind in FOLLOWERS[asked.kind] if kind != asked.kind]
    if asked.kind in _SHARE_ALIKE:
        return (
            f"{asked}" if asked.version and asked.version[0] == 1 else f"{asked} or a later version"
        )
    return ", ".join((str(asked), *kinds))


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[-_\s]+", " ", text.casefold()).split())
