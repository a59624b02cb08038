"""What is told to others than the user of this machine names files, but not where they lie."""

from __future__ import annotations

import re

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
