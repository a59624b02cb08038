"""What the command line says, and where: plain text for pipes, colour for terminals.

Progress belongs on standard error and results on standard output, so that `-o -` and `--json` can
be piped on.
"""

from __future__ import annotations

import codecs
import io
import os
import shutil
import sys
from pathlib import Path
from typing import TextIO

from common.errors import OutputError
from common.files import refuse_existing, write_whole

STYLES = {"bold": "1", "red": "31", "cyan": "36"}


def is_terminal(stream: TextIO | None) -> bool:
    """False for pipes, files and streams that are closed."""
    return stream is not None and not stream.closed and stream.isatty()


def wants_colour(stream: TextIO | None) -> bool:
    """Colour only on a terminal that can show it, and never against NO_COLOR (no-color.org)."""
    return (
        is_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    )


def paint(text: str, style: str, stream: TextIO | None = None) -> str:
    """The text in a style of `STYLES` if `stream` (standard output if none) shows colour."""
    if not wants_colour(sys.stdout if stream is None else stream):
        return text
    return f"\x1b[{STYLES[style]}m{text}\x1b[0m"


def columns() -> int:
    """Columns for text on standard output; pipes and files get as many as a plain terminal."""
    return min(shutil.get_terminal_size().columns, 100) if is_terminal(sys.stdout) else 80


def complain(message: str) -> None:
    """One line on standard error, under the program's name."""
    if sys.stderr is not None:
        print(paint("perpetuo:", "red", sys.stderr), message, file=sys.stderr)


def tolerate_any_encoding() -> None:
    """What the encoding of the output lacks is shown by a sign of replacement instead of an error:
    so names of files that are in no encoding at all can be printed, in JSON too."""
    codecs.register_error("perpetuo.replace", _replaced)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="perpetuo.replace")


def _replaced(error: UnicodeError) -> tuple[str | bytes, int]:
    assert isinstance(error, UnicodeEncodeError), "it is set for output alone"
    count = error.end - error.start
    # As bytes, for the codec takes no other sign of its own alphabet from here.
    in_utf_8 = codecs.lookup(error.encoding).name == "utf-8"
    return ("\ufffd" * count).encode() if in_utf_8 else "?" * count, error.end


def refuse(destination: str, *, force: bool) -> None:
    """Raise OutputError before any work is done if `deliver` could not write there: the file
    exists (without `force`), or "-" is no place for bytes."""
    if destination != "-":
        refuse_existing(destination, force=force)
    elif sys.stdout is None:
        raise OutputError("standard output is closed: name a file with -o")
    elif is_terminal(sys.stdout):
        raise OutputError("this would print binary data on the terminal: pipe it on or name a file")


def deliver(destination: str, data: bytes, *, force: bool) -> None:
    """Write a command's result to a file, or for "-" to standard output.

    Raises OutputError if the file exists (without `force`) or cannot be written, and rather than
    send bytes to a terminal.
    """
    refuse(destination, force=force)
    if destination != "-":
        write_whole(Path(destination), data, force=force)
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
