"""The reference of controls follows the table."""

from __future__ import annotations

import json
from pathlib import Path

from engine.controls.controls import Controls
from engine.controls.reference import describe, reference
from engine.controls.table import CONTROLS

PAGE = Path(__file__).parents[2] / "docs" / "controls.md"


def test_the_page_is_what_the_table_says() -> None:
    assert PAGE.read_text("utf-8") == reference(), (
        "run: python -m engine.controls.reference > docs/controls.md"
    )


def test_every_control_has_a_whole_row() -> None:
    rows = [line for line in reference().splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == [control.name for control in CONTROLS]
    assert {row.count("|") for row in rows} == {7}


def test_the_description_is_json_whose_defaults_are_the_defaults() -> None:
    rows = json.loads(json.dumps(describe()))
    assert Controls.from_dict({row["name"]: row["default"] for row in rows}) == Controls()
    assert describe(CONTROLS[:2]) == describe()[:2]
