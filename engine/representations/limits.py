"""What is kept strictly: controls turned into masks and limits for the codecs.

Everything here stands in the composed position, where the network thinks: C major or A minor (see
`engine.controls.key`). A composed pitch sounds `Limits.transposition` semitones higher.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.errors import ControlError
from engine.controls.controls import Controls
from engine.controls.key import LEARNED_MODES
from engine.music.fields import MELODIC_PITCHES
from engine.music.grids import places, widest
from engine.music.harmony import CHORD_SHIFT, parse_progression
from engine.music.score import PARTS
from engine.music.time import TICKS_PER_QUARTER, quarters

# Semitones between the end of a range and the mean pitch of music that keeps to it, where nobody
# asks for another; and that each further voice needs, whoever asks.
ROOM, VOICE_ROOM = 9.0, 2.0
# Log-weight against a pitch beside one that sounds, where music has little room or leans beyond
# what its network knows; the widths of ranges, in semitones, that leave less and little room.
APART = 3.0
SPACIOUS, NARROW = 48, 36
MASKED = -1e9  # finite, so that arithmetic on it stays defined
_PITCHES = np.arange(MELODIC_PITCHES)


@dataclass(frozen=True, slots=True, eq=False)
class Limits:
    """The constraints of a bar. Bars may share them: the arrays are read-only.

    `pitch_bias` [128] float32 is added to the log-weights of composed melodic pitches, `MASKED`
    where a pitch may not come; `max_rest` is in ticks. At least one part is on and at least one
    pitch is not masked. `places`: ticks of a quarter where notes may begin, empty for all of them;
    `max_rest` leads from any of them to the next. No constraints but preferences are `voices`, how
    many notes are to sound if that is asked, `lean`, as a codec's `leaning` gave it, and `apart`,
    the log-weight against a pitch for each one that sounds a semitone away. `close` is
    the last bar of a piece, from tick to tick: what begins, begins at its bar line or before. From
    tick to tick of a `hold` what begins at its beginning goes on, and nothing else does.
    """

    pitch_bias: NDArray[np.float32]
    parts_on: tuple[bool, ...]
    max_polyphony: int
    max_rest: int
    transposition: int
    places: tuple[bool, ...] = ()
    voices: float | None = None
    lean: NDArray[np.float32] | None = None
    close: tuple[int, int] | None = None
    hold: tuple[int, int] | None = None
    apart: float = 0.0


def limits_of(controls: Controls) -> Limits:
    """The limits that follow from a setting; ControlError if they would leave no pitch, or no
    place for a note.

    Whoever accepts a control from outside calls this at once, so that the user hears of it then.
    """
    transposition = controls.key.shift + controls.transpose
    bias = _scale_bias(controls)[(_PITCHES + controls.key.shift) % 12]
    sounding = _PITCHES + transposition
    outside = (sounding < controls.low_pitch) | (sounding > controls.high_pitch)
    bias[outside] = MASKED
    if bias.max() <= MASKED:
        raise ControlError(_collision(controls, bool(outside.all())))
    bias.flags.writeable = False
    width = controls.high_pitch - controls.low_pitch
    max_rest = round(controls.max_rest * TICKS_PER_QUARTER)
    if max_rest < widest(controls.grid):
        raise ControlError(
            f"max_rest={controls.spelled('max_rest')} is shorter than a step of "
            f"grid={controls.grid}: make it {quarters(widest(controls.grid)):g} or "
            "more, or the grid finer"
        )
    return Limits(
        bias,
        _parts_on(controls),
        controls.max_polyphony,
        max_rest,
        transposition,
        places(controls.grid),
        controls.polyphony,
        apart=APART * min(1.0, max(0.0, (SPACIOUS - width) / (SPACIOUS - NARROW))),
    )


def progression_of(controls: Controls) -> tuple[int, ...]:
    """The chord ids of the progression in the composed position, empty where it is open.

    Degrees count from the key's tonic, names are taken as they sound before `transpose`.
    """
    if not controls.chords:
        return ()
    sounding = parse_progression(controls.chords, controls.key.sounding_id)
    down = CHORD_SHIFT[-controls.key.shift % 12]
    return tuple(int(down[chord]) for chord in sounding)


def register_room(controls: Controls, room: float = ROOM) -> tuple[float, float]:
    """Between which mean pitches, as they sound, music has room inside the range: nearer to its
    ends chords would be pressed into clusters."""
    room = min(room, (controls.high_pitch - controls.low_pitch) / 2)
    return controls.low_pitch + room, controls.high_pitch - room


def asked_register(controls: Controls) -> float | None:
    """The register that is asked for, as far as so many voices have room there."""
    if controls.register is None:
        return None
    room = min(ROOM, VOICE_ROOM * ((controls.polyphony or 1.0) - 1))
    lowest, highest = register_room(controls, room)
    return min(highest, max(lowest, controls.register))


def key_strength(controls: Controls) -> float:
    """How firmly the scale is kept, 0 … 1, with "auto" decided."""
    if controls.key_strength is not None:
        return controls.key_strength
    learned = controls.scale is None and controls.key.mode in LEARNED_MODES
    return 0.0 if learned else 1.0


def _scale_bias(controls: Controls) -> NDArray[np.float32]:
    """Log-weight of each sounding pitch class, C first, the heaviest at 0.

    Between 0 and 1 the strength mixes "any pitch" with the scale, so that a foreign pitch weighs
    1 - strength.
    """
    weights = np.array(controls.scale or controls.key.scale)
    strength = key_strength(controls)
    mixed = 1 - strength + strength * weights / weights.max()
    bias = np.full(12, MASKED, np.float32)
    np.log(mixed, out=bias, where=mixed > 0, casting="same_kind")
    return bias


def _parts_on(controls: Controls) -> tuple[bool, ...]:
    on = controls.parts or range(1, PARTS + 1)
    return tuple(part in on for part in range(1, PARTS + 1))


def _collision(controls: Controls, by_range: bool) -> str:
    names = ["low_pitch", "high_pitch", "key", "transpose"]
    if not by_range:
        names += ["scale", "key_strength"] if controls.scale else ["key_strength"]
    setting = ", ".join(f"{name}={controls.spelled(name)}" for name in names)
    return f"no pitch is left under {setting}: widen the range or set transpose nearer to 0"
