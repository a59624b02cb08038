"""Values for controls as users may give them: plain JSON, valid for the control."""

from __future__ import annotations

import math

from hypothesis import strategies as st

from common.errors import ControlError
from engine.controls.controls import Controls
from engine.controls.kinds import EVENT_FIELDS
from engine.controls.table import CONTROLS
from engine.controls.values import Control
from engine.music.harmony import SCALES, TONIC_NAMES
from engine.music.score import PARTS

_CHORD_WORDS = st.sampled_from(
    ["Am", "F", "G7", "Bbmaj7", "F#dim", "I", "vi", "IV", "bVII", "viio", "N"]
)


def values_of(control: Control) -> st.SearchStrategy[object]:
    numbers = st.floats(control.low, control.high)
    by_kind: dict[str, st.SearchStrategy[object]] = {
        "number": st.sampled_from(control.choices) if control.choices else numbers,
        "integer": st.integers(math.ceil(control.low), math.floor(control.high)),
        "choice": st.sampled_from(control.choices or ("",)),
        "metre": st.sampled_from(["4/4", "3/4", "6/8", "7/8", "1/8"]),
        "key": st.builds("{} {}".format, st.sampled_from(TONIC_NAMES), st.sampled_from([*SCALES])),
        "chords": st.lists(_CHORD_WORDS, min_size=1, max_size=8).map(" ".join),
        "mix": st.dictionaries(st.sampled_from("abcd"), numbers, min_size=1).filter(
            lambda mix: any(mix.values())
        ),
        "per_field": numbers
        | st.dictionaries(st.sampled_from([*EVENT_FIELDS, "all"]), numbers, min_size=1),
        "scale": st.lists(numbers, min_size=12, max_size=12).filter(any),
        "parts": st.lists(st.integers(1, PARTS), min_size=1, unique=True),
        "by_part": numbers | st.dictionaries(st.integers(1, PARTS).map(str), numbers, min_size=1),
        "programs": st.dictionaries(
            st.integers(1, PARTS).map(str), st.integers(0, 127), min_size=1
        ),
    }
    return by_kind[control.kind.name]


@st.composite
def control_settings(draw: st.DrawFn) -> dict[str, object]:
    """Some controls with valid values, the pitch range an octave or wider."""
    chosen = draw(st.lists(st.sampled_from(CONTROLS), unique=True, max_size=8))
    values = {control.name: draw(values_of(control)) for control in chosen}
    try:
        Controls.from_dict(values)
    except ControlError:
        low = draw(st.integers(0, 127 - 11))
        values |= {"low_pitch": low, "high_pitch": draw(st.integers(low + 11, 127))}
    return values
