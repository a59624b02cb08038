"""Small pieces of music made by rule, for datasets of tests."""

from __future__ import annotations

import numpy as np

from engine.files.midi import read, to_score, write
from engine.music.score import NOTE, Score, note_order


def tune(seed: int, length: int = 60) -> Score:
    """A wandering melody over long bass notes."""
    draw = np.random.Generator(np.random.Philox(key=seed))
    notes = np.zeros(length, NOTE)
    notes["onset"] = np.cumsum(draw.choice([6, 12, 12, 24], length))
    notes["duration"] = draw.choice([6, 12, 24], length)
    scale = np.array([0, 2, 4, 5, 7, 9, 11])
    degree = 14 + np.cumsum(draw.integers(-2, 3, length)) % 14
    notes["pitch"] = 36 + 12 * (degree // 7) + scale[degree % 7]
    notes["velocity"] = draw.integers(30, 110, length)
    bass = np.zeros(length // 8, NOTE)
    bass["onset"], bass["duration"] = notes["onset"][::8][: len(bass)], 48
    bass["pitch"], bass["velocity"], bass["part"] = 36 + draw.integers(0, 12, len(bass)), 60, 1
    return to_score(read(write(Score(note_order(np.concatenate((notes, bass)))))))
