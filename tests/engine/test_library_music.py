"""Music as a value: its notes, its times and its files are the same in every form."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import mido
import numpy as np
import pretty_midi
import pytest

import engine
from common.errors import MidiError, OutputError, PerpetuoError
from engine import Music
from engine.files.midi import read
from engine.library.bars import midi_bytes
from engine.music.score import TIED_FROM

ASKED: dict[str, dict[str, object]] = {
    "a chorale whose tempo drifts": {"preset": "chorale", "bars": 24},
    "a pianist": {"preset": "pianist", "bars": 12},
    "swing with percussion": {"swing": 0.6, "parts": [1, 2, 8], "programs": {1: 26, 2: 33}},
    "triple time": {"metre": "3/4", "tempo": 190, "bars": 5},
}
EVERY = pytest.mark.parametrize("name", ASKED)


@cache
def music_of(name: str) -> Music:
    return engine.compose(**ASKED[name])  # type: ignore[arg-type]


@EVERY
def test_mido_has_the_messages_of_the_file_and_saves_the_same_music(name: str) -> None:
    music = music_of(name)
    file = music.to_mido()
    assert file.tracks == mido.MidiFile(file=io.BytesIO(music.midi)).tracks
    saved = io.BytesIO()
    file.save(file=saved)
    # The one difference is that mido leaves out a status that the message before has, too.
    assert len(saved.getvalue()) <= len(music.midi)
    again, ours = read(saved.getvalue()), read(music.midi)
    assert again.notes.tolist() == ours.notes.tolist()
    assert (again.tempos, again.metres, again.repairs) == (ours.tempos, ours.metres, ())


@EVERY
def test_pretty_midi_has_the_same_notes_at_the_same_times(name: str) -> None:
    music = music_of(name)
    pretty = music.to_pretty_midi()
    found = sorted(
        (note.start, note.end, note.pitch, note.velocity, instrument.program, instrument.is_drum)
        for instrument in pretty.instruments
        for note in instrument.notes
    )
    rows = music.notes[["start", "end", "pitch", "velocity", "program", "part"]].tolist()
    expected = sorted((*row[:-1], row[-1] == 8) for row in rows)
    assert len(found) == len(expected) > 0
    np.testing.assert_allclose(np.array(found, float), np.array(expected, float), rtol=0, atol=1e-6)
    assert pretty.get_end_time() == pytest.approx(music.notes["end"].max())


@EVERY
def test_notes_are_those_of_the_bars_in_order(name: str) -> None:
    music = music_of(name)
    notes = music.notes
    struck = {  # what is struck twice at once sounds once
        (note.onset, note.pitch, note.part + 1)
        for bar in music
        for note in bar.notes
        if not note.tie & TIED_FROM
    }
    assert sorted(notes[["pitch", "part"]].tolist()) == sorted(row[1:] for row in struck)
    assert (np.diff(notes["start"]) >= 0).all()
    assert (notes["end"] > notes["start"]).all()
    quarters = sum(bar.metre.ticks for bar in music) / 24
    assert (notes["quarter"] < quarters).all()


@EVERY
def test_it_lasts_as_long_as_its_bars(name: str) -> None:
    music = music_of(name)
    assert music.duration == pytest.approx(
        sum(music[i : i + 1].duration for i in range(len(music)))
    )
    first = music.bars[0]
    seconds = first.metre.ticks / 24 * first.microseconds_per_quarter / 1e6
    assert music[:1].duration == pytest.approx(seconds, abs=1e-5)


def test_a_slice_is_music_of_these_bars_that_begins_at_once() -> None:
    music = music_of("a chorale whose tempo drifts")
    part = music[4:8]
    assert (len(part), list(part), part[0]) == (4, list(music)[4:8], music[4])
    assert part.midi == midi_bytes(music.bars[4:8])
    assert part.notes["start"].min() < part[0].metre.ticks
    assert music[-1] is music.bars[-1]
    assert music[:] == music
    assert (part.seed, part.controls) == (music.seed, music.controls)
    with pytest.raises(PerpetuoError, match=r"music\[4:8\]"):
        music[::2]
    with pytest.raises(IndexError):
        music[99]


def test_music_is_equal_if_its_bars_are() -> None:
    music = music_of("triple time")
    again = engine.compose(metre="3/4", tempo=190, bars=5)
    assert music == again
    assert hash(music) == hash(again)
    assert music != again[:4]
    assert music != engine.compose(metre="3/4", tempo=190, bars=5, seed=2)


def test_no_bars_are_music_too(tmp_path: Path) -> None:
    nothing = music_of("triple time")[:0]
    assert (len(nothing), nothing.duration, len(nothing.notes)) == (0, 0, 0)
    assert nothing.to_pretty_midi().get_end_time() == 0
    assert nothing.to_mido().length == 0
    assert nothing._repr_html_() == "music: 0 bars, 0 notes, 0:00, seed 1"
    nothing.save(tmp_path / "nothing.mid")


def test_a_file_is_written_whole_in_place_of_one_that_is_there(tmp_path: Path) -> None:
    music = music_of("triple time")
    path = tmp_path / "x.mid"
    path.write_text("older")
    music.save(path)
    assert path.read_bytes() == music.midi
    music.save(str(tmp_path / "X.MIDI"))
    assert sorted(found.name for found in tmp_path.iterdir()) == ["X.MIDI", "x.mid"]
    with pytest.raises(OutputError, match=r"x\.wav should end in \.mid or \.midi"):
        music.save(tmp_path / "x.wav")
    with pytest.raises(OutputError, match="create it first"):
        music.save(tmp_path / "nowhere" / "x.mid")


def test_what_is_too_long_for_pretty_midi_is_refused_with_a_sentence() -> None:
    music = music_of("triple time")
    last, late = music[-1], 24 * 30_000
    notes = tuple(note._replace(onset=late) for note in last.notes[:1])
    later = replace(last, start=late, notes=notes, shifts=(0,))
    long = Music((*music.bars, later), 1, "default", {})
    with pytest.raises(MidiError, match=r"pretty_midi does not take this music .*music\[:1000\]"):
        long.to_pretty_midi()
    assert len(long.to_mido().tracks) > 1


def test_it_says_what_it_is() -> None:
    music = music_of("triple time")
    notes = len(music.notes)
    assert repr(music) == f"<music: 5 bars, {notes} notes, 0:05, seed 1>"


def test_a_notebook_shows_a_piano_roll_with_a_stroke_for_every_note() -> None:
    music = music_of("a chorale whose tempo drifts")
    page = ElementTree.fromstring(music._repr_html_())
    lines, *parts = page.iter("{http://www.w3.org/2000/svg}path")
    assert lines.get("d", "").count("M") == len(music) + 1
    assert len(parts) == 4
    places = [re.findall(r"M([\d.e-]+) [\d.]+h", path.get("d", "")) for path in parts]
    drawn = sorted(float(place) for found in places for place in found)
    np.testing.assert_allclose(drawn, np.sort(music.notes["quarter"]), atol=1e-3)
    assert "24 bars" in "".join(page.itertext())


def test_of_long_music_the_beginning_is_drawn() -> None:
    music = engine.compose(bars=130, tempo=200, density=1)
    page = ElementTree.fromstring(music._repr_html_())
    lines = next(page.iter("{http://www.w3.org/2000/svg}path"))
    assert lines.get("d", "").count("M") == 65
    assert "".join(page.itertext()).endswith("the first 64 of them")
    assert len(music._repr_html_()) < 20_000


def test_pretty_midi_reads_the_file_that_was_saved(tmp_path: Path) -> None:
    music = music_of("a pianist")
    music.save(tmp_path / "x.mid")
    read_again = pretty_midi.PrettyMIDI(str(tmp_path / "x.mid"))
    ours = music.to_pretty_midi()
    assert (read_again.get_piano_roll() == ours.get_piano_roll()).all()
