"""The bars of a stream that nobody waits for: composed as fast as they can be, and put together."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from common.errors import LogError
from common.files import SNAPSHOT, read_bytes
from engine.composing.composer import Composer
from engine.composing.primer import primer_of
from engine.composing.snapshot import restore
from engine.files.control_log import ControlLog, LoggedChange
from engine.files.midi import write
from engine.files.recording import controllers, pedals, program_changes, score_of
from engine.library.loading import load_network
from engine.library.models import model_file
from engine.music.bars import Bar
from engine.music.score import TIED_FROM
from engine.music.time import MICROSECONDS_PER_MINUTE
from engine.network.runtime import Network


@dataclass(frozen=True, slots=True)
class Length:
    """How much to compose: a number of bars, or whole bars until so many minutes are full; of
    both, what comes first."""

    bars: int | None = None
    minutes: float | None = None

    def is_reached(self, bars: int, microseconds: int) -> bool:
        enough_bars = self.bars is not None and bars >= self.bars
        return enough_bars or (
            self.minutes is not None and microseconds >= self.minutes * MICROSECONDS_PER_MINUTE
        )

    def counted(self, composer: Composer) -> int:
        """How many bars that is from where a composer stands, if nothing is changed meanwhile."""
        count = time = 0
        while not self.is_reached(count, time):
            time += composer.length_of(composer.next_bar + count)
            count += 1
        return count

    def of(self, bars: Iterator[Bar]) -> Iterator[Bar]:
        """So much of an endless stream; none is composed beyond it."""
        count = time = 0
        while not self.is_reached(count, time):
            bar = next(bars)
            count += 1
            time += bar.length
            yield bar


def open_model(name: str | Path, device: str = "cpu", threads: int = 1) -> Network:
    """The network of a model by name or path."""
    return load_network(model_file(name), device, threads)


def composer_of(network: Network, log: ControlLog, folder: Path | None = None) -> Composer:
    """The composer of a log's stream, at its beginning; `folder` is where a segment's snapshot
    lies."""
    if log.snapshot is not None:
        composer = _restored(network, log, (folder or Path()) / log.snapshot)
    else:
        primer = None
        if log.prompt is not None:
            primer, _ = primer_of(log.prompt.score(), network.specification)
        pool = network.pool(1)
        composer = Composer(network, pool, log.seed, log.stream, log.controls, primer)
    if log.last is not None and log.last >= composer.next_bar:
        composer.close_with(log.last)
    return composer


def closing(composer: Composer, log: ControlLog, length: Length) -> tuple[ControlLog, Length]:
    """The log of a stream that closes after so much, and how many bars that is; its composer, at
    the beginning, is told. The number stays, should the player's tempo make them longer."""
    bars = length.counted(composer)
    last = composer.next_bar + bars - 1
    composer.close_with(last)
    return replace(log, last=last), Length(bars)


def _restored(network: Network, log: ControlLog, snapshot: Path) -> Composer:
    composer = restore(read_bytes(snapshot, SNAPSHOT), network, network.pool(1))
    if composer.next_bar != log.first:
        raise LogError(
            f"the log goes on from bar {log.first} and {snapshot} from bar {composer.next_bar}: "
            "put the snapshot that was kept with the log beside it"
        )
    return composer


def next_bar(composer: Composer) -> Bar:
    """The next bar, which no change reaches any more. Whoever is interrupted meanwhile, as by
    Ctrl-C in a notebook, may ask again and gets the same."""
    here = composer.next_bar
    try:
        bar = composer.compose_bar()
    except BaseException:
        composer.rewind(here)
        raise
    composer.commit(composer.next_bar)
    return bar


def composed_bars(
    composer: Composer,
    changes: Iterable[LoggedChange] = (),
    heard: Callable[[Bar, Composer], Sequence[Bar]] = lambda bar, composer: (bar,),
) -> Iterator[Bar]:
    """Bars without end from where the composer stands, each change made at its bar; `heard` gives
    what was heard in the place of a bar that the composer has just finished."""
    pending = deque(sorted(changes, key=lambda change: change.bar))
    while True:
        while pending and pending[0].bar <= composer.next_bar:
            composer.make(pending.popleft())
        yield from heard(next_bar(composer), composer)


def notes_of(bar: Bar) -> int:
    """How many notes begin in a bar; what is tied into it began before."""
    return sum(not note.tie & TIED_FROM for note in bar.notes)


def midi_bytes(bars: Sequence[Bar]) -> bytes:
    """The bars as a MIDI file."""
    score, shifts = score_of(bars)
    return write(
        score,
        shifts=shifts,
        program_changes=program_changes(bars),
        pedals=pedals(bars),
        controllers=controllers(bars),
    )
