"""`engine.compose` and `engine.stream`: music for scripts and notebooks.

    music = engine.compose("chorale", seed=3, bars=16, tempo=90, key="D minor")
    music.save("chorale.mid")

    for bar in engine.stream("ambient"):
        ...

What both have in common: `preset` is a preset's name or a preset file, `model` the name of an
embedded model or a file (if none is given, that of the preset), and every control may be given by
its name. `seed` says which music it is: the same arguments always give the same; None is for music
that was never heard. `prompt` is music to go on from: a MIDI file, `Music`, or what mido or
pretty_midi have read. It lends its key, metre, tempo, parts and instruments where nothing else is
said, and where a preset leaves it to the seed. What is wrong is told by a `PerpetuoError`.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from common.errors import MidiError
from common.words import shown
from engine.composing.composer import Composer
from engine.composing.snapshot import restore
from engine.files.control_log import MAX_SEED, ControlLog
from engine.files.midi import Smf, read
from engine.library import DEFAULT_MODEL, DEFAULT_SEED, MOST_BARS
from engine.library.arguments import minutes_of, plain_controls, whole_number
from engine.library.bars import Length, closing, composed_bars, composer_of, open_model
from engine.library.beginning import fresh_seed, read_prompt, request
from engine.library.interchange import file_of
from engine.library.music import Music
from engine.library.streaming import MusicStream

if TYPE_CHECKING:
    from engine.library.interchange import MidiFile, PrettyMIDI

__all__ = ["Music", "MusicStream", "compose", "resume", "stream"]

DEFAULT_BARS = 16
# What may be given beside controls.
_ARGUMENTS = ("preset", "model", "seed", "bars", "minutes", "prompt", "ending")


def compose(
    preset: str | Path | None = None,
    *,
    model: str | Path | None = None,
    seed: int | None = DEFAULT_SEED,
    bars: int | None = None,
    minutes: float | None = None,
    prompt: str | Path | Music | MidiFile | PrettyMIDI | None = None,
    ending: bool = True,
    **controls: object,
) -> Music:
    """So many bars (16), or whole bars until so many minutes are full; of both what comes first.
    They close with a cadence and a long last bar, unless the `ending` is left out, as for music
    that others are to follow."""
    if bars is not None:
        bars = whole_number("bars", bars, 1, MOST_BARS)
    if minutes is not None:
        minutes = minutes_of(minutes)
    composer, log = _begun(preset, model, seed, prompt, controls)
    length = Length(DEFAULT_BARS if bars is minutes is None else bars, minutes)
    if ending:
        _, length = closing(composer, log, length)
    found = tuple(length.of(composed_bars(composer)))
    return Music(found, log.seed, log.model, log.controls.as_dict())


def stream(
    preset: str | Path | None = None,
    *,
    model: str | Path | None = None,
    seed: int | None = DEFAULT_SEED,
    prompt: str | Path | Music | MidiFile | PrettyMIDI | None = None,
    **controls: object,
) -> MusicStream:
    """Bars without end: iterate over it, `take` some of them, `steer` it meanwhile."""
    composer, log = _begun(preset, model, seed, prompt, controls)
    return MusicStream(composer, log.model)


def resume(snapshot: bytes, model: str | Path = DEFAULT_MODEL) -> MusicStream:
    """The stream that `MusicStream.snapshot` has saved, with the model that it was begun with."""
    network = open_model(model)
    return MusicStream(restore(snapshot, network, network.pool(1)), str(model))


def _begun(
    preset: str | Path | None,
    model: str | Path | None,
    seed: int | None,
    prompt: object,
    controls: Mapping[str, object],
) -> tuple[Composer, ControlLog]:
    """The composer of a stream before its first bar, and its log."""
    chosen = fresh_seed() if seed is None else whole_number("seed", seed, 0, MAX_SEED)
    asked = request(
        None if preset is None else str(preset), plain_controls(controls, _ARGUMENTS), chosen
    )
    name = str(model or asked.model or DEFAULT_MODEL)
    network = open_model(name)
    played = None if prompt is None else _prompt(prompt)
    log = asked.log(network, name, None, played, partial(warnings.warn, stacklevel=4))
    return composer_of(network, log), log


def _prompt(given: object) -> Smf:
    if isinstance(given, str | Path):
        return read_prompt(given, partial(warnings.warn, stacklevel=5))
    data = given.midi if isinstance(given, Music) else file_of(given)
    if data is None:
        raise MidiError(
            f"prompt cannot be {shown(given)}: give the path of a MIDI file, music, or what mido or"
            " pretty_midi have read"
        )
    return read(data)
