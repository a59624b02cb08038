"""How a piece that has a last bar comes to its close: what is set in the plan of its last bars."""

from __future__ import annotations

from engine.controls.key import Key
from engine.music.fields import ECHO_NEW, ENDING_FAR, ENDING_LAST
from engine.music.harmony import SCALES, chord_id, key_id
from engine.planning.planner_table import PlannerTable

CLOSING_BARS = ENDING_LAST - ENDING_FAR
_FREE_BARS = 2  # the close itself is no echo
_FIFTH, _LEADING_NOTE = 7, 11

Columns = tuple[tuple[str, int], ...]


def closing_columns(
    to_last: int, key: Key, table: PlannerTable, styles: tuple[float, ...], *, free: bool
) -> Columns:
    """Columns of the plan of a bar, `to_last` bars before the last one: home, its dominant and the
    tonic. The way to it is left to the chords that a hand has asked for, if it is not `free`."""
    if not 0 <= to_last < CLOSING_BARS:
        return ()
    home = key_id(key.home_tonic, key.minor)
    columns = {"key": home, "ending": ENDING_LAST - to_last}
    if to_last < _FREE_BARS:
        columns |= {"echo": ECHO_NEW, "source": -1}
    if to_last == 0:
        tonic = chord_id(key.home_tonic, "min" if key.minor else "maj")
        columns |= {"chord": tonic, "half_chord": tonic}
    elif to_last == 1 and free:
        columns |= _dominant(key, table, styles)
    return tuple(columns.items())


def _dominant(key: Key, table: PlannerTable, styles: tuple[float, ...]) -> dict[str, int]:
    """The chord before the last, as the scale has it and the styles like it; none in a scale
    without a fifth."""
    scale, root = SCALES[key.mode], key.home_tonic + _FIFTH
    if not scale[_FIFTH]:
        return {}
    if not scale[_LEADING_NOTE]:
        return {"half_chord": chord_id(root, "min")}
    weights = table.chord_weights(styles, 0, 0, key.minor, 1)
    triad, seventh = (chord_id(root, quality) for quality in ("maj", "7"))
    return {"half_chord": seventh if weights[seventh] > weights[triad] else triad}
