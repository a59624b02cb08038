"""What scripts and notebooks use: `engine.compose`, `engine.stream` and the music that they give.

The one room of the engine that reads the files a user names. mido and pretty_midi are imported in
`interchange.py` alone, and when they are asked for.
"""

DEFAULT_MODEL = "default"
DEFAULT_SEED = 1
MOST_BARS = 10_000_000
MOST_MINUTES = 100_000
