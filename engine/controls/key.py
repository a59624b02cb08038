"""The key a stream sounds in, and where the network stands while it does.

Networks learn music whose home is C major or A minor. Every key is mapped onto that: music is
composed in the home position and sounds `Key.shift` semitones from it. Which position a mode takes
follows from its tones: one that fits the white keys exactly (dorian, lydian …) is composed on the
white keys, its tonic where it falls (D for dorian); the others have their tonic on A where their
third is minor, else on C.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from common.errors import PlanError
from engine.music.harmony import MINOR_SCALES, SCALES, TONIC_NAMES, key_id, key_parts, parse_key

HOME_MAJOR, HOME_MINOR = 0, 9  # pitch classes of C and A
LEARNED_MODES = ("major", "minor")
_ALIASES = {"ionian": "major", "aeolian": "minor", "pentatonic": "major pentatonic"}


def _home_tonic(mode: str) -> int:
    tones = {step for step, weight in enumerate(SCALES[mode]) if weight == 1.0}
    white = {step for step, weight in enumerate(SCALES["major"]) if weight == 1.0}
    fitting = [t for t in range(12) if {(t + step) % 12 for step in tones} == white]
    return fitting[0] if fitting else HOME_MINOR if mode in MINOR_SCALES else HOME_MAJOR


_HOME_TONICS = {mode: _home_tonic(mode) for mode in SCALES}


@dataclass(frozen=True, slots=True)
class Key:
    """A tonic (pitch class, 0 is C) and a mode, one of `engine.music.harmony.SCALES`."""

    tonic: int
    mode: str

    @property
    def minor(self) -> bool:
        return self.mode in MINOR_SCALES

    @property
    def home_tonic(self) -> int:
        """Pitch class of the tonic where the music is composed."""
        return _HOME_TONICS[self.mode]

    @property
    def shift(self) -> int:
        """Semitones from the composed pitch to the sounding one, the nearer way: -6 … 5."""
        return (self.tonic - self.home_tonic + 6) % 12 - 6

    @property
    def sounding_id(self) -> int:
        """The key id (see `engine.music.harmony`) as it sounds."""
        return key_id(self.tonic, self.minor)

    @property
    def scale(self) -> tuple[float, ...]:
        """Weight of each sounding pitch class, C first."""
        weights = SCALES[self.mode]
        return tuple(weights[(pitch - self.tonic) % 12] for pitch in range(12))

    def __str__(self) -> str:
        return f"{TONIC_NAMES[self.tonic]} {self.mode}"

    @classmethod
    def parse(cls, text: str) -> Key:
        """Read "C", "F#m", "Bb minor" or "D dorian"; raises PlanError."""
        tonic, *words = re.split(r"[ _-]+", text.strip())
        mode = " ".join(words).lower()
        mode = _ALIASES.get(mode, mode)
        try:
            # A tonic alone is major, so that its reading has no say in the mode.
            if mode in SCALES and key_parts(parse_key(tonic))[1] is False:
                return cls(key_parts(parse_key(tonic))[0], mode)
            pitch, minor = key_parts(parse_key(text))
        except PlanError:
            raise PlanError(
                f"'{text[:40]}' is no key: write a tonic and a mode such as C, F# minor or"
                f" D dorian (modes: {', '.join(SCALES)})"
            ) from None
        return cls(pitch, LEARNED_MODES[minor])
