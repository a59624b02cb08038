"""The reference of all controls, derived from the table.

`python -m engine.controls.reference > docs/controls.md` writes the page; a test holds the page to
it."""

from __future__ import annotations

from collections.abc import Sequence

from common.words import number_text
from engine.controls.table import CONTROLS, ROLES
from engine.controls.values import AUTO, Control, Json
from engine.music.harmony import SCALES

_INTRODUCTION = """\
# Controls

Every control may be set at any time; what is set is heard from the next bar line on. On the
command line it is `--set name=value`, quoted where the value holds blanks:

    perpetuo compose --set density=4 --set "key=D dorian" --set "chords=I vi IV V" -o out.mid

In JSON, numbers are numbers, lists of numbers are arrays, and pairs are objects
(`{"style": {"romantic": 0.7, "folk": 0.3}}`); the text forms below are understood as well. Null
and `auto` bring any control back to its default. A value out of range is refused, never clipped.

What a control does to the music follows from its role:
"""


def reference() -> str:
    """The page `docs/controls.md`."""
    roles = "".join(f"\n- *{role}*: {what}." for role, what in ROLES.items())
    groups = list(dict.fromkeys(control.group for control in CONTROLS))
    return _INTRODUCTION + roles + "\n" + "".join(map(_section, groups)) + _notes()


def describe(controls: Sequence[Control] = CONTROLS) -> list[dict[str, Json]]:
    """The table, or some rows of it, as plain JSON for programs."""
    return [
        {
            "name": control.name,
            "kind": control.kind.name,
            "role": control.role,
            "group": control.group,
            "default": control.plain(control.default),
            "open": control.is_open,
            "low": control.low if control.has_range else None,
            "high": control.high if control.has_range else None,
            "unit": control.unit,
            "choices": list(control.choices),
            "per": control.per,
            "accepts": control.form,
            "help": control.help,
        }
        for control in controls
    ]


def _section(group: str) -> str:
    rows = "".join(_row(control) for control in CONTROLS if control.group == group)
    head = "| name | values | unit | default | role | what it does |\n|---|---|---|---|---|---|\n"
    return f"\n## {group.capitalize()}\n\n{head}{rows}"


def _row(control: Control) -> str:
    ranged = control.kind.name in ("number", "integer") and not control.choices
    values = f"{number_text(control.low)} … {number_text(control.high)}" if ranged else control.form
    if ranged and control.is_open:
        values += f", {AUTO}"
    cells = (
        f"`{control.name}`",
        values,
        control.unit,
        f"`{control.spell(control.default)}`",
        control.role,
        control.help,
    )
    return f"| {' | '.join(cells)} |\n"


def _notes() -> str:
    modes = ", ".join(SCALES)
    return f"""
## Keys and modes

A key is a tonic (`C`, `F#`, `Bb`) and a mode: {modes}.

Networks learn music in C major and A minor, and every key is composed there and transposed, the
nearer way, when it sounds. Modes whose tones are the white keys in one position (dorian, phrygian,
lydian, mixolydian, locrian) are composed on the white keys with their tonic where it falls; the
others have their tonic on A where their third is minor, else on C. With `key_strength` between 0
and 1, a pitch outside the scale weighs `1 - key_strength` of what the network gives it.

`key`, `scale` and `chords` say what sounds before `transpose`; `low_pitch` and `high_pitch` hold
for what sounds after it.
"""


if __name__ == "__main__":
    print(reference(), end="")
