"""Music as mido and pretty_midi have it, and theirs as MIDI files.

The one file that imports them: neither is loaded before it is asked for.
"""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

from common.errors import MidiError

if TYPE_CHECKING:
    from mido import MidiFile as MidiFile
    from pretty_midi import PrettyMIDI as PrettyMIDI


def mido_of(data: bytes) -> MidiFile:
    """A MIDI file's bytes as mido has them."""
    from mido import MidiFile

    return MidiFile(file=io.BytesIO(data))


def pretty_midi_of(data: bytes) -> PrettyMIDI:
    """A MIDI file's bytes as pretty_midi has them; MidiError if that is too long for it."""
    from pretty_midi import PrettyMIDI

    try:
        return PrettyMIDI(io.BytesIO(data))
    except ValueError as error:
        raise MidiError(
            f"pretty_midi does not take this music ({error}): give it less, such as music[:1000]"
        ) from error


def file_of(given: object) -> bytes | None:
    """The MIDI file of a `mido.MidiFile` or `pretty_midi.PrettyMIDI`; None if it is neither."""
    # Whoever has one of them has imported its library.
    mido, pretty_midi = sys.modules.get("mido"), sys.modules.get("pretty_midi")
    file = io.BytesIO()
    if mido and isinstance(given, mido.MidiFile):
        given.save(file=file)
    elif pretty_midi and isinstance(given, pretty_midi.PrettyMIDI):
        given.write(file)
    else:
        return None
    return file.getvalue()
