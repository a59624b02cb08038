"""Values, names and files as sentences for people spell them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable


def shown(raw: object) -> str:
    """A bad value as an error message may quote it: always short, on one line, never failing."""
    if isinstance(raw, str):
        return f"'{_visible(raw[:40])}…'" if len(raw) > 40 else f"'{_visible(raw)}'"
    if isinstance(raw, bool):
        return str(raw).lower()
    if isinstance(raw, int) and abs(raw) >= 10**15:
        return "a number that large"
    if isinstance(raw, (int, float)):
        return f"{raw:.15g}"
    if isinstance(raw, list):
        return "this list"
    if isinstance(raw, dict):
        return "this object"
    return "null" if raw is None else f"a {type(raw).__name__}"


def _visible(text: str) -> str:
    """Line ends and other signs that nobody sees, as they are escaped."""
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text
    )


def number_text(value: float) -> str:
    """The shortest text that reads back as the same number."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def listed(words: tuple[str | float, ...]) -> str:
    """Words as "a, b or c"."""
    spelled = [w if isinstance(w, str) else number_text(w) for w in words]
    return " or ".join([", ".join(spelled[:-1]), spelled[-1]] if len(spelled) > 1 else spelled)


def nearest(name: str, known: Iterable[str]) -> str:
    """Advice for an unknown name: the likeliest known one, else all of them."""
    names = list(known)
    close = difflib.get_close_matches(name[:40].strip().lower(), names, n=1)
    return f"did you mean '{close[0]}'?" if close else f"choose from {', '.join(names)}"


# A path begins where a word does, and its folders may have spaces in their names. A slash alone,
# as in 3/4, is none.
_FOLDERS = re.compile(
    r"""(?<![^\s'"(\[=])        # where a word begins
        (?:[A-Za-z]:|~|\.{1,2})?  # a drive, a home, a folder that is relative
        [/\\]                     # from the root
        (?:[^/\\:'"()\n]+[/\\])*  # folder after folder
        (?=[^/\\\s])              # and the name that is kept
    """,
    re.VERBOSE,
)


def without_folders(text: str) -> str:
    """A sentence in which every path is the name of its file alone."""
    return _FOLDERS.sub("", text)
