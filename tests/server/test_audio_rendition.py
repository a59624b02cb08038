"""A rendition sounds as its stream did: at the right frame, ended, revised, without a click."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.audio.format import BLOCK, GRAIN, RATE, Samples, frames_of
from server.audio.libraries import soundfont
from server.audio.messages import BarOrder, MoveOrder, NameOrder, TurnOrder
from server.audio.rendition import STEP, Rendition
from server.audio.synth import FluidSynth
from server.base.wire import WireBar, encode_bar
from server.midi.messages import CONTROL, NOTE_OFF, NOTE_ON, PROGRAM, SUSTAIN, Message
from tests.server.bars import TEMPO, bar, streams
from tests.server.sound import need_libraries

BEGIN = 5_000_000
BAR = 1_920_000
TICK = TEMPO // 24


class Scribe:
    """An instrument that notes what it is told, and when."""

    def __init__(self) -> None:
        self.frame = 0
        self.heard: list[tuple[int, Message]] = []

    def send(self, message: Message) -> None:
        self.heard.append((self.frame, message))

    def render(self, frames: int) -> Samples:
        assert frames > 0
        assert frames % GRAIN == 0
        self.frame += frames
        return np.zeros((frames, 2), np.float32)

    def of(self, kind: int) -> list[tuple[int, Message]]:
        return [(frame, message) for frame, message in self.heard if message[0] & 0xF0 == kind]

    def hanging(self) -> Counter[tuple[int, int]]:
        """Channels and pitches that sound, and channels whose pedal is down with -1."""
        sounding: Counter[tuple[int, int]] = Counter()
        for _, (status, *rest) in self.heard:
            if status & 0xF0 in (NOTE_ON, NOTE_OFF):
                sounding[status & 15, rest[0]] += 1 if status & 0xF0 == NOTE_ON else -1
            elif status & 0xF0 == CONTROL and rest[0] == SUSTAIN:
                sounding[status & 15, -1] += 1 if rest[1] else -1
        return +sounding


def told(rendition: Rendition, bars: Iterable[WireBar], at: int = 0, due: int = BEGIN) -> int:
    for one in bars:
        rendition.tell(BarOrder("x", at, one.index, one.revision, due, encode_bar(one)))
        due += one.length
    return due


def render(rendition: Rendition, until: int) -> Samples:
    blocks = []
    while rendition.time < until:
        blocks.append(rendition.render().samples)
        assert len(blocks[-1]) == BLOCK
    return np.concatenate(blocks)


SCALE = [bar(i, [(1, 60 + n, 12 * n, 12) for n in range(8)]) for i in range(3)]


def test_notes_begin_and_end_at_the_grain_nearest_to_their_time() -> None:
    scribe = Scribe()
    rendition = Rendition(scribe, BEGIN)
    render(rendition, told(rendition, SCALE) + BAR)
    ons = scribe.of(NOTE_ON)
    assert len(ons) == 24
    for i, (frame, message) in enumerate(ons):
        assert message[1] == 60 + i % 8
        assert abs(frame - frames_of(12 * TICK * i)) <= GRAIN // 2
    for i, (frame, _) in enumerate(scribe.of(NOTE_OFF)):
        assert abs(frame - frames_of(12 * TICK * (i + 1))) <= GRAIN // 2


@given(st.integers(0, 400_000))
def test_whenever_it_begins_the_bars_sound_at_their_time(early: int) -> None:
    scribe = Scribe()
    rendition = Rendition(scribe, BEGIN - early)
    render(rendition, told(rendition, SCALE))
    first, _ = scribe.of(NOTE_ON)[0]
    assert abs(first - frames_of(early)) <= GRAIN


def test_percussion_has_its_channel_and_the_others_their_seats() -> None:
    scribe = Scribe()
    rendition = Rendition(scribe, BEGIN)
    programs = (5, 0, 0, 0, 0, 0, 0, 8)
    drums = bar(0, [(8, 36, 0, 12), (1, 60, 0, 12)], programs=programs)
    render(rendition, told(rendition, [drums]))
    assert {message[0] & 15 for _, message in scribe.of(NOTE_ON)} == {9, 0}
    assert (PROGRAM | 9, 8) in [message for _, message in scribe.of(PROGRAM)]
    rows = {message[0] & 15 for _, message in scribe.heard[:7]}
    assert rows == set(range(7))


def test_controllers_reach_the_instrument_and_go_back_to_the_seats_here() -> None:
    scribe = Scribe()
    rendition = Rendition(scribe, BEGIN)
    asked = [[(2, 10, 100), (2, 91, 80), (8, 7, 90)], []]
    bars = [bar(i, [(2, 60, 0, 12)], controllers=turned) for i, turned in enumerate(asked)]
    render(rendition, told(rendition, bars))
    seats = [message for _, message in scribe.heard[:7]]
    turned = [message for _, message in scribe.of(CONTROL)][7:]
    first = [(CONTROL | 1, 10, 100), (CONTROL | 1, 91, 80), (CONTROL | 9, 7, 90)]
    assert turned == [*first, seats[1], (CONTROL | 1, 91, 0), (CONTROL | 9, 7, 100)]


def test_a_pedal_reaches_the_instrument_and_is_lifted_at_a_stop() -> None:
    scribe = Scribe()
    rendition = Rendition(scribe, BEGIN)
    told(rendition, [bar(i, [(1, 60, 0, 12)], pedals=[(1, 24, 72)]) for i in range(2)])
    rendition.tell(TurnOrder("x", BEGIN + BAR + BAR // 2, "stop"))
    render(rendition, BEGIN + 2 * BAR)
    pressed = [(f, m) for f, m in scribe.of(CONTROL) if m[1] == SUSTAIN]
    assert [message[2] for _, message in pressed] == [127, 0, 127, 0]
    assert {message[0] for _, message in pressed} == {CONTROL}
    wanted = (24 * TICK, BAR, BAR + 24 * TICK, BAR + BAR // 2)
    for (frame, _), time in zip(pressed, wanted, strict=True):
        assert abs(frame - frames_of(time)) <= GRAIN


def test_what_is_told_is_obeyed_when_the_sound_gets_there() -> None:
    """A rendition that lags hears a revision, a stop and a name where the stream had them."""
    scribe = Scribe()
    rendition = Rendition(scribe, BEGIN)
    told(rendition, SCALE)
    revised = bar(1, [(1, 80, 0, 96)], revision=1)
    halfway = BEGIN + BAR // 2
    rendition.tell(NameOrder("x", BEGIN + BAR, "Later"))
    rendition.tell(BarOrder("x", halfway, 1, 1, BEGIN + BAR, encode_bar(revised)))
    rendition.tell(TurnOrder("x", BEGIN + BAR + BAR // 2, "stop"))
    titles = []
    while rendition.time < BEGIN + 3 * BAR:
        block = rendition.render()
        titles.append((rendition.time, block.title, block.is_new))
    pitches = [message[1] for _, message in scribe.of(NOTE_ON)]
    assert pitches == [*range(60, 68), 80]
    frame, message = scribe.of(NOTE_OFF)[-1]
    assert message[1] == 80
    assert abs(frame - frames_of(BAR + BAR // 2)) <= GRAIN
    first = next(time for time, title, _ in titles if title == "Later (A)")
    assert first - 240_000 <= BEGIN + BAR <= first
    assert [time for time, _, new in titles if new] == [first]


def test_a_stream_that_goes_on_is_heard_from_its_bar() -> None:
    scribe = Scribe()
    rendition = Rendition(scribe, BEGIN)
    told(rendition, SCALE)
    rendition.tell(TurnOrder("x", BEGIN + BAR + 100_000, "stop"))
    later = 3 * BAR
    rendition.tell(MoveOrder("x", BEGIN + 4 * BAR - 150_000, 1, later))
    rendition.tell(TurnOrder("x", BEGIN + 4 * BAR - 150_000, "go on"))
    render(rendition, BEGIN + 6 * BAR)
    frames = [frame for frame, _ in scribe.of(NOTE_ON)]
    silent = [
        f for f in frames if frames_of(BAR + 100_000) + GRAIN < f < frames_of(4 * BAR) - GRAIN
    ]
    assert not silent
    assert abs(frames[9] - frames_of(4 * BAR)) <= GRAIN
    assert not scribe.hanging()


def test_what_was_missed_is_left_out_and_nothing_hangs() -> None:
    scribe = Scribe()
    rendition = Rendition(scribe, BEGIN)
    long = [bar(i, [(1, 60, 0, 96), (2, 64, 0, 200)]) for i in range(20)]
    told(rendition, long)
    render(rendition, BEGIN + BAR)
    rendition.skip_to(BEGIN + 12 * BAR)
    assert not scribe.hanging()
    before = scribe.frame
    render(rendition, BEGIN + 13 * BAR)
    assert scribe.frame - before < frames_of(2 * BAR)
    assert rendition.time < BEGIN + 13 * BAR + 300_000


turns = st.lists(
    st.tuples(st.integers(0, 40), st.sampled_from(["stop", "go on", "anew", "silence"])),
    max_size=6,
)


@given(streams(), turns)
def test_nothing_hangs_whatever_happens(
    bars: list[WireBar], happenings: list[tuple[int, str]]
) -> None:
    scribe = Scribe()
    rendition = Rendition(scribe, BEGIN)
    end = told(rendition, bars)
    for quarter, turn in sorted(happenings):
        rendition.tell(TurnOrder("x", BEGIN + 250_000 * quarter, turn))  # type: ignore[arg-type]
    last = max(end, BEGIN + 250_000 * 41)
    rendition.tell(TurnOrder("x", last, "stop"))
    render(rendition, last + 2 * STEP)
    assert not scribe.hanging()


# -- with a real instrument ------------------------------------------------------------------------


@pytest.fixture
def synth() -> Iterable[FluidSynth]:
    need_libraries()
    synth = FluidSynth(soundfont(None))
    yield synth
    synth.close()


ORGAN, STRINGS = (19,) * 8, (48,) * 8


def edges(samples: Samples, begin: int, end: int) -> float:
    """The greatest step from one frame to the next between two times."""
    part = samples[frames_of(begin - BEGIN) : frames_of(end - BEGIN)]
    return float(np.abs(np.diff(part, axis=0)).max())


@pytest.mark.parametrize("happens", ["stop", "anew", "silence", "preset", "revision"])
def test_nothing_that_happens_to_a_stream_is_heard_as_a_click(
    synth: FluidSynth, happens: str
) -> None:
    """An organ holds a chord, whatever happens in its second bar: where it ends, no step between
    two frames is greater than those of the chord."""
    rendition = Rendition(synth, BEGIN)
    chord = [(1, 48, 0, 96), (1, 55, 0, 96), (1, 64, 0, 96)]
    bars = [bar(i, chord, programs=ORGAN) for i in range(4)]
    told(rendition, bars)
    at = BEGIN + BAR + BAR // 2 + 1234
    if happens == "preset":
        told(rendition, [bar(2, chord, programs=STRINGS, revision=1)], at, BEGIN + 2 * BAR)
        at = BEGIN + 2 * BAR
    elif happens == "revision":
        told(rendition, [bar(2, [(1, 67, 0, 96)], revision=1)], at, BEGIN + 2 * BAR)
        at = BEGIN + 2 * BAR
    else:
        rendition.tell(TurnOrder("x", at, happens))  # type: ignore[arg-type]
        at = BEGIN + 2 * BAR if happens == "anew" else at
    samples = render(rendition, at + BAR // 2)
    assert np.abs(samples).max() > 0.02
    held = edges(samples, BEGIN + BAR + 300_000, BEGIN + BAR + 800_000)
    onsets = edges(samples, BEGIN, BEGIN + 300_000)
    limit = max(held, onsets) if happens in ("preset", "revision") else held
    assert edges(samples, at - 20_000, at + 200_000) <= 1.3 * limit


def test_after_the_end_there_is_silence(synth: FluidSynth) -> None:
    rendition = Rendition(synth, BEGIN)
    end = told(rendition, SCALE[:1])
    samples = render(rendition, end + 15 * RATE * 20)
    assert np.abs(samples[-RATE:]).max() < 1e-4
