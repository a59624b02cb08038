"""How long a file of music is, looked at before hours of sound are made of a broken one.

One flipped bit in a MIDI file can put hours before a note, or leave it sounding for as long.
"""

from __future__ import annotations

import numpy as np

from common.errors import MidiError
from engine.files.midi import Smf, performance_times

MOST_NOTES = 1_000_000
LONGEST = 6 * 3600  # seconds
STILLEST = 15 * 60  # seconds in which nothing begins or ends


def refuse_endless(smf: Smf, seconds: float | None) -> None:
    """MidiError if that is more than is rendered; `seconds` of it are wanted, if that is said."""
    if len(smf.notes) > MOST_NOTES:
        raise MidiError(
            f"it has {len(smf.notes):,} notes, and at most {MOST_NOTES:,} are rendered: split it"
        )
    if seconds is not None:
        return
    ticks = np.concatenate((smf.notes["start"], smf.notes["end"], smf.pedals["tick"]))
    times = np.sort(performance_times(smf, ticks)) / 1e6
    if not len(times):
        return
    still = np.diff(times, prepend=0.0)
    longest = int(still.argmax())
    if still[longest] > STILLEST:
        raise MidiError(
            f"nothing happens for {_clock(still[longest])} up to {_clock(times[longest])}, as in a "
            "damaged file: mend it, or render a part with --seconds"
        )
    if times[-1] > LONGEST:
        raise MidiError(
            f"it lasts {_clock(times[-1])}, and {_clock(LONGEST)} are rendered without being asked "
            "for: say how much with --seconds"
        )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
