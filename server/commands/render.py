"""`perpetuo render`: music into a sound file, faster than it plays."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from engine.library import DEFAULT_SEED
from server.commands.compose import add_model_arguments, add_music_arguments, count

if TYPE_CHECKING:
    from engine.files.midi import Smf
    from engine.music.bars import Bar
    from server.audio.files import Rendered

HELP = "make a sound file: of a seed, a MIDI file or a control log"
EPILOG = """\
examples:
  perpetuo render -o first.wav
  perpetuo render --preset quartet --seed 7 --seconds 90 -o quartet.flac
  perpetuo render --set tempo=72 --set density=2 --bars 16 -o calm.mp3
  perpetuo render tune.mid -o tune.opus
  perpetuo render calm.log -o calm.mp3
  perpetuo render tune.mid --soundfont grand.sf2 --loudness -20 -o tune.wav

What is written is told by the file's ending: .wav, .flac, .mp3 or .opus. Without a MIDI file or
control log music is composed, as by 'perpetuo compose'. It needs the extra 'audio' and FluidSynth:
pip install '.[audio]', and apt-get install libfluidsynth3 (macOS: brew install fluid-synth).
"""
MIDI_HEADS = (b"MThd", b"RIFF")
LOUDNESS = -16.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", nargs="?", type=Path, metavar="FILE", help="a MIDI file or a control log"
    )
    parser.add_argument(
        "-o", "--output", required=True, type=Path, metavar="FILE.wav", help="what is written"
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--bars", type=count, metavar="N", help="bars that are composed")
    length.add_argument("--seconds", type=_seconds, metavar="S", help="how long the file is")
    add_music_arguments(parser)
    add_model_arguments(parser)
    parser.add_argument(
        "--soundfont",
        type=Path,
        metavar="NAME",
        help="instruments: a name as in 'perpetuo sounds', or a file (default TimGM6mb)",
    )
    parser.add_argument(
        "--loudness",
        type=_loudness,
        default=LOUDNESS,
        metavar="LUFS",
        help=f"how loud it is (default {LOUDNESS:g})",
    )
    parser.add_argument("--force", action="store_true", help="overwrite an existing file")
    parser.add_argument("--json", action="store_true", help="print what was made as JSON")


def run(args: argparse.Namespace) -> int:
    from common.files import refuse_existing, writing_whole
    from server.audio import libraries
    from server.audio.events import events_of
    from server.audio.files import kind_of, piece_of, render
    from server.audio.format import RATE

    kind = kind_of(args.output)
    refuse_existing(args.output, force=args.force)
    soundfont = libraries.soundfont(args.soundfont)
    libraries.fluidsynth()
    libraries.av()
    smf, tags = _music(args)
    piece = piece_of(events_of(smf), args.seconds)
    with (
        writing_whole(args.output, force=args.force) as path,
        _progress(piece.frames / RATE) as tell,
    ):
        made = render(piece, soundfont, args.loudness, path, kind, tags, tell)
    _say(args, made)
    return 0


def _music(args: argparse.Namespace) -> tuple[Smf, dict[str, str]]:
    """What is to be heard, and what is told about it in the file."""
    if args.source is None:
        return _composed(args)
    from common.errors import PerpetuoError, naming
    from common.files import MUSIC, SOUNDED, read_beginning, read_bytes
    from engine.files.midi import read
    from server.audio.length import refuse_endless
    from server.base.console import complain

    chosen = args.preset or args.set or args.prompt or args.no_ending
    if chosen or args.seed != DEFAULT_SEED:
        raise PerpetuoError(
            f"--seed, --preset, --set, --prompt and --no-ending compose music, and {args.source}"
            " holds some: leave out one or the other"
        )
    if read_beginning(args.source, SOUNDED, 4) not in MIDI_HEADS:
        return _replayed(args)
    if args.bars:
        raise PerpetuoError("--bars counts what is composed: give --seconds with a MIDI file")
    with naming(args.source):
        smf = read(read_bytes(args.source, MUSIC))
        refuse_endless(smf, args.seconds)
    if smf.remark:
        complain(f"{args.source}: {smf.remark}")
    return smf, {"title": args.source.stem}


def _composed(args: argparse.Namespace) -> tuple[Smf, dict[str, str]]:
    from engine.library.bars import Length, closing, composer_of
    from server.commands.compose import begun
    from server.commands.offline import compose

    args.minutes = args.seconds / 60 if args.seconds else None
    network, log = begun(args)
    composer, length = composer_of(network, log), Length(log.bars, args.minutes)
    if not args.no_ending:
        log, length = closing(composer, log, length)
    bars = compose(composer, length, log)
    about = f"seed {log.seed}" + (f", preset {args.preset}" if args.preset else "")
    return _smf_of(bars), {"title": args.output.stem, "artist": "perpetuo", "comment": about}


def _replayed(args: argparse.Namespace) -> tuple[Smf, dict[str, str]]:
    from engine.library.bars import Length
    from server.commands.offline import compose
    from server.commands.replay import bars_of, begun

    args.log = args.source
    composer, log = begun(args)
    bars, minutes = args.bars, args.seconds / 60 if args.seconds else None
    if bars is None and (minutes is None or log.bars or log.end):
        bars = bars_of(log, composer.next_bar, args.log)
    heard = compose(composer, Length(bars, minutes), log)
    about = f"seed {log.seed}, replayed"
    return _smf_of(heard), {"title": args.output.stem, "artist": "perpetuo", "comment": about}


def _smf_of(bars: Sequence[Bar]) -> Smf:
    from engine.files.midi import read
    from engine.library.bars import midi_bytes

    return read(midi_bytes(bars))


@contextmanager
def _progress(seconds: float) -> Iterator[Callable[[float], object]]:
    """A bar that is told of the seconds of sound that are done, of both passes."""
    from tqdm import tqdm

    form = "{l_bar}{bar}| {elapsed}<{remaining}"
    with tqdm(total=2 * seconds, bar_format=form, disable=None, leave=False) as progress:
        yield progress.update


def _say(args: argparse.Namespace, made: Rendered) -> None:
    if args.json:
        measured = None if made.measured == -math.inf else made.measured
        figures = {"file": str(args.output), **made._asdict(), "measured": measured}
        print(json.dumps(figures, ensure_ascii=False))
        return
    minutes, seconds = divmod(round(made.seconds), 60)
    loud = "silence" if made.measured == -math.inf else f"{made.measured + made.gain:.1f} LUFS"
    print(f"{args.output}: {minutes}:{seconds:02d}, {loud}")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 1_000_000:
        raise argparse.ArgumentTypeError(f"'{text}' must be a number of seconds above 0")
    return seconds


def _loudness(text: str) -> float:
    try:
        loudness = float(text)
    except ValueError:
        loudness = 0.0
    if not -40 <= loudness <= -8:
        raise argparse.ArgumentTypeError(f"'{text}' must be a number of LUFS from -40 to -8")
    return loudness
