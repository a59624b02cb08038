"""The keys of a training configuration, as the end of `docs/training.md`.

`python -m export.training.reference docs/training.md` writes them there, from their heading on; a
test holds the page to it."""

from __future__ import annotations

import sys
from pathlib import Path

from msgspec.structs import fields

from common.reference import key_table
from export.training.config import TrainingConfig

HEADING = "## All keys\n"


def written_into(page: str) -> str:
    """The page with the keys as they are now."""
    return f"{page.partition(HEADING)[0]}{HEADING}\n{key_table(fields(TrainingConfig))}"


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(written_into(target.read_text("utf-8")), "utf-8")
