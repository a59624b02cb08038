"""Music with flipped bits: it is read in a moment, or refused, and never rendered for hours."""

from __future__ import annotations

import contextlib
import io
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from common.errors import MidiError, PerpetuoError
from engine.files.control_log import ControlLog, LoggedChange
from engine.files.control_log import read as read_log
from engine.files.control_log import write as write_log
from engine.files.midi import read, to_performance_score, to_score, write
from engine.files.prompt import Prompt
from engine.music.analysis import analyse
from export.data.musicxml import read_musicxml
from export.evaluation.roll import MOST_LINES, roll
from server.audio.events import events_of
from server.audio.files import piece_of
from server.audio.format import RATE
from server.audio.length import LONGEST, STILLEST, refuse_endless
from server.commands import cli
from tests.tunes import tune

FLIPS = 300
PATIENCE = 5.0  # seconds for one file; it takes a fraction of one
SHEET = """<?xml version="1.0"?><score-partwise><part-list><score-part id="P1"/></part-list>
<part id="P1"><measure number="1"><attributes><divisions>4</divisions><key><fifths>-3</fifths></key>
<time><beats>3</beats><beat-type>4</beat-type></time></attributes><sound tempo="96"/>
<note><pitch><step>C</step><octave>4</octave></pitch><duration>4</duration></note>
<forward><duration>8</duration></forward><backup><duration>12</duration></backup>
<note><pitch><step>E</step><alter>-1</alter><octave>3</octave></pitch><duration>12</duration></note>
</measure></part></score-partwise>"""


def flipped(data: bytes, count: int, seed: int = 1) -> Iterator[bytes]:
    """Damaged copies, with one to three bits flipped in each."""
    draw = np.random.Generator(np.random.Philox(key=seed))
    for i in range(count):
        copy = bytearray(data)
        for bit in draw.integers(0, 8 * len(data), 1 + i % 3).tolist():
            copy[bit // 8] ^= 1 << bit % 8
        yield bytes(copy)


def test_damaged_midi_is_read_in_a_moment_and_rendered_for_no_longer_than_music_lasts() -> None:
    refused = 0
    for data in flipped(write(tune(3, 90)), FLIPS):
        begun = time.perf_counter()
        try:
            smf = read(data)
            to_performance_score(smf)
            score = to_score(smf)
            if len(score.notes):
                analyse(score)
            Prompt.of(score)
            refuse_endless(smf, None)
            piece = piece_of(events_of(smf), None)
            assert piece.frames < (LONGEST + 10) * RATE
        except MidiError:
            refused += 1
        assert time.perf_counter() - begun < PATIENCE
    assert refused > 3, "some of these flips put an hour before a note"


def test_damaged_sheets_and_logs_are_read_in_a_moment() -> None:
    changes = (LoggedChange(3, {"density": 4.0}),)
    log = ControlLog("m", "0" * 64, 7, prompt=Prompt.of(tune(3, 9)), changes=changes, end=9)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("sheet.musicxml", SHEET)
    sheets = [(data, read_musicxml) for data in (SHEET.encode(), packed.getvalue())]
    for data, reader in (*sheets, (write_log(log), read_log)):
        reader(data)
        for copy in flipped(data, FLIPS):
            begun = time.perf_counter()
            with contextlib.suppress(PerpetuoError):
                reader(copy)
            assert time.perf_counter() - begun < PATIENCE


def late_note(seconds: float, length: float = 1.0) -> bytes:
    """A tune with one more note, that begins so late and lasts so long."""
    score = tune(3, 20)
    more = score.notes[-1:].copy()
    more["onset"], more["duration"] = round(48 * seconds), round(48 * length)
    return write(type(score)(np.concatenate((score.notes, more)), score.metres, score.tempos))


def test_a_long_rest_is_refused_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    song = tmp_path / "song.mid"
    for data in (late_note(5000), late_note(20, 5000)):
        song.write_bytes(data)
        assert cli.main(["render", str(song), "-o", str(tmp_path / "song.wav")]) == cli.USER_ERROR
        told = capsys.readouterr().err
        assert "song.mid: nothing happens for 1:2" in told
        assert told.endswith("as in a damaged file: mend it, or render a part with --seconds\n")
        assert not (tmp_path / "song.wav").exists()
    assert cli.main(["render", str(song), "--seconds", "1", "-o", str(tmp_path / "a.wav")]) == 0


def test_what_is_long_but_no_longer_than_music_is_taken() -> None:
    refuse_endless(read(late_note(STILLEST - 60)), None)
    refuse_endless(read(late_note(5000)), 10.0)
    score = tune(3, 20)
    notes = np.concatenate([score.notes[:1]] * 40)
    notes["onset"] = np.arange(40) * 48 * 600
    whole = type(score)(notes[:35], score.metres, ((0, 500_000),))
    refuse_endless(read(write(whole)), None)
    with pytest.raises(MidiError, match=r"it lasts 6:30:0\d, and 6:00:00 are rendered"):
        refuse_endless(read(write(type(score)(notes, score.metres, ((0, 500_000),)))), None)


def test_a_picture_of_too_many_lines_is_refused() -> None:
    score = to_score(read(late_note(2 * 16 * (MOST_LINES + 1))))
    with pytest.raises(MidiError, match=r"and a picture holds 100 lines .*: draw more bars a line"):
        roll(score, 16)
