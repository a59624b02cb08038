"""A station is made block by block, when it is due, for whoever wants it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from server.audio.format import BLOCK_SECONDS, SECOND, Samples
from server.audio.master import Master
from server.audio.messages import LAG, ChunkReport, EncoderReport, NameOrder, Report
from server.audio.sounding import LATE, LOST, Sounding

BLOCK = round(BLOCK_SECONDS * SECOND)
HELD = 2.4  # ten blocks


class Quiet:
    """An instrument without a sound."""

    def send(self, message: tuple[int, ...]) -> None: ...

    def render(self, frames: int) -> Samples:
        return np.zeros((frames, 2), np.float32)


class Counting:
    """An encoder that tells how many blocks it has had."""

    head, serial = b"head", 3

    def __init__(self) -> None:
        self.blocks = 0

    def encode(self, samples: Samples) -> Iterator[tuple[bytes, float]]:
        self.blocks += 1
        yield bytes([self.blocks]), BLOCK_SECONDS


def sounding(begin: int = 0) -> Sounding:
    return Sounding("x", Quiet(), Master(-16.0), lambda form: Counting(), begin, HELD)


def run(it: Sounding, now: int) -> list[Report]:
    """Everything that is due by now."""
    reports: list[Report] = []
    while it.due <= now:
        reports += it.make(now)
    return reports


def chunks(reports: list[Report]) -> list[bytes]:
    return [report.data for report in reports if isinstance(report, ChunkReport)]


def test_a_block_is_made_when_all_is_told_of_it() -> None:
    it = sounding()
    assert it.due == BLOCK + LAG
    list(it.encode("mp3", HELD))
    assert chunks(run(it, BLOCK + LAG - 1)) == []
    assert chunks(run(it, BLOCK + LAG)) == [b"\1"]
    assert chunks(run(it, 4 * BLOCK + LAG)) == [b"\2", b"\3", b"\4"]
    assert it.load().seconds == pytest.approx(4 * BLOCK_SECONDS)


def test_who_comes_later_has_what_is_held_but_no_more_than_is_wanted() -> None:
    it = sounding()
    run(it, 30 * BLOCK + LAG)
    opened, *held = it.encode("mp3", 1.2)
    assert opened == EncoderReport("x", "mp3", b"head", 3)
    assert len(chunks(held)) == 5
    assert len(chunks(list(it.encode("opus", 100)))) == 10
    assert list(it.encode("opus", 100)) == []
    assert len(chunks(run(it, 31 * BLOCK + LAG))) == 2
    it.leave("mp3")
    assert len(chunks(run(it, 32 * BLOCK + LAG))) == 1


def test_titles_go_along() -> None:
    it = sounding()
    list(it.encode("mp3", HELD))
    it.tell(NameOrder("x", BLOCK + 5, "Other"))
    titles = [r.title for r in run(it, 3 * BLOCK + LAG) if isinstance(r, ChunkReport)]
    assert titles == ["", "Other", "Other"]


def test_the_past_is_no_underrun_but_a_hang_is_one() -> None:
    it = sounding()
    run(it, round(HELD * SECOND) + LAG)  # it began in the past
    assert it.load().underruns == 0
    later = it.due + LATE
    run(it, later)
    run(it, later + 4 * BLOCK)
    assert it.load().underruns == 1
    run(it, it.due + 3 * LATE)
    assert it.load().underruns == 2


def test_what_is_far_too_late_is_left_out() -> None:
    it = sounding()
    run(it, BLOCK + LAG)
    asleep = it.due + round(HELD * SECOND) + LOST + 100 * SECOND
    run(it, asleep)
    assert it.rendition.time == asleep - LAG
    assert it.load().seconds == pytest.approx(2 * BLOCK_SECONDS)
    assert it.load().underruns == 1


def test_silence_has_no_loudness() -> None:
    it = sounding()
    run(it, 20 * BLOCK)
    assert it.load().loudness is None
