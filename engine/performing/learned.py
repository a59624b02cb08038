"""Figures of players, as export/performing/learning.py measured and wrote them; see
docs/performing.md. Made by a program: it is not edited by hand."""

from __future__ import annotations

from engine.performing.figures import PlayerFigures

LEARNED = PlayerFigures(
    phrase_tempo=(-0.0084, -0.0054, -0.0099, -0.0061, -0.004, 0.0007, 0.0059, 0.027),
    phrase_depth=(0.0, 0.0, 0.0, 0.1415, 0.4531, 0.8264, 1.3606, 2.2011, 4.6846),
    phrase_loudness=(-0.0211, -0.0154, -0.0062, 0.0014, 0.0088, -0.002, 0.0131, 0.0212),
    close_tempo=(0.0, 0.0, 0.0, 0.01, 0.0774, 0.208),
    close_slope=(0.0, 0.0, 0.0084, 0.0097, 0.0489, 0.0),
    voice_loudness=(0.1649, -0.035, -0.1174),
    drum_places=(
        -2.2447,
        15.816,
        2.0122,
        5.3777,
        -0.6568,
        13.8846,
        4.3133,
        6.1954,
        -1.3821,
        13.2614,
        1.2175,
        3.7796,
        -1.7966,
        12.8839,
        3.1152,
        5.5083,
    ),
    together_spread=9.8039,
    drift_spread=21.1555,
    drift_memory=0.3872,
    pedal_delay=4.6,
    pedal_rests=(0.2035, 0.4028, 0.3592, 0.471),
)
