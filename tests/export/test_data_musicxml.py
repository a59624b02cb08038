"""MusicXML is read like MIDI."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import DatasetError
from engine.files.midi import to_score
from engine.music.score import DRUMS, bar_grid
from engine.music.time import Metre
from export.data.musicxml import looks_like_xml, read_musicxml

HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" "partwise.dtd">
<score-partwise version="4.0"><part-list>
<score-part id="P1"><part-name>Piano</part-name>
<midi-instrument id="P1-I1"><midi-channel>1</midi-channel><midi-program>5</midi-program>
</midi-instrument></score-part>
<score-part id="P2"><part-name>Drums</part-name>
<midi-instrument id="P2-I1"><midi-channel>10</midi-channel><midi-unpitched>37</midi-unpitched>
</midi-instrument></score-part>
</part-list>"""


def note(step: str, octave: int, duration: int, extra: str = "", after: str = "") -> str:
    return (
        f"<note>{extra}<pitch><step>{step}</step><octave>{octave}</octave></pitch>"
        f"<duration>{duration}</duration>{after}</note>"
    )


def sheet(*measures: str, attributes: str = "", more: str = "") -> bytes:
    first = f"<attributes><divisions>4</divisions>{attributes}</attributes>"
    bars = "".join(
        f"<measure number='{i}'>{first if not i else ''}{body}</measure>"
        for i, body in enumerate(measures)
    )
    return f"{HEAD}<part id='P1'>{bars}</part>{more}</score-partwise>".encode()


def rows(data: bytes) -> list[tuple[int, int, int, int]]:
    notes = to_score(read_musicxml(data)).notes
    return [tuple(row) for row in notes[["onset", "duration", "pitch", "part"]].tolist()]


def test_notes_chords_rests_and_voices() -> None:
    body = (
        note("C", 4, 4)
        + note("E", 4, 4, "<chord/>")
        + "<note><rest/><duration>4</duration></note>"
        + note("G", 4, 8)
        + "<backup><duration>8</duration></backup>"
        + note("C", 3, 8)
        + "<forward><duration>4</duration></forward>"
    )
    assert rows(sheet(body)) == [
        (0, 24, 64, 0),
        (0, 24, 60, 0),
        (48, 48, 67, 0),
        (48, 48, 48, 0),
    ]


def test_tied_notes_are_one_and_grace_notes_none() -> None:
    first = note("C", 4, 16, "<tie type='start'/>")
    middle = note("C", 4, 16, "<tie type='stop'/><tie type='start'/>")
    grace = "<note><grace/><pitch><step>D</step><octave>4</octave></pitch></note>"
    last = grace + note("C", 4, 4, "<tie type='stop'/>")
    assert rows(sheet(first, middle, last)) == [(0, 216, 60, 0)]
    assert rows(sheet(first, note("C", 4, 4))) == [(0, 120, 60, 0)]
    lost = [first, note("D", 4, 16), note("C", 4, 4, "<tie type='stop'/>")]
    assert rows(sheet(*lost)) == [(0, 96, 60, 0), (96, 96, 62, 0), (192, 24, 60, 0)]
    assert rows(sheet(first, note("D", 4, 4))) == [(0, 96, 60, 0), (96, 24, 62, 0)]


def test_staves_are_parts_and_the_instrument_transposes() -> None:
    body = note("C", 4, 4, after="<staff>1</staff>")
    body += "<backup><duration>4</duration></backup>" + note("C", 3, 4, after="<staff>2</staff>")
    moved = "<transpose><chromatic>-2</chromatic><octave-change>1</octave-change></transpose>"
    assert rows(sheet(body, attributes=moved)) == [(0, 24, 70, 0), (0, 24, 58, 1)]
    assert to_score(read_musicxml(sheet(body))).programs[:3] == (4, 4, 0)


def test_percussion_goes_to_the_drums() -> None:
    drums = (
        "<part id='P2'><measure><attributes><divisions>1</divisions></attributes><note><unpitched/>"
        "<duration>1</duration><instrument id='P2-I1'/></note></measure></part>"
    )
    assert rows(sheet(note("C", 4, 4), more=drums)) == [(0, 24, 60, 0), (0, 24, 36, DRUMS)]


def test_upbeats_keep_the_bar_lines() -> None:
    three = "<time><beats>3</beats><beat-type>4</beat-type></time>"
    bar = note("D", 4, 4) * 3
    score = to_score(read_musicxml(sheet(note("C", 4, 4), bar, bar, attributes=three)))
    assert bar_grid(score).starts.tolist() == [0, 24, 96]
    assert {metre for _, metre in score.metres} == {Metre(3, 4)}


def test_tempo_key_and_compound_metre() -> None:
    attributes = (
        "<key><fifths>-3</fifths><mode>minor</mode></key>"
        "<time><beats>3+2</beats><beat-type>8</beat-type></time>"
    )
    tempo = "<direction><sound tempo='90'/></direction>"
    smf = read_musicxml(sheet(tempo + note("C", 4, 10), attributes=attributes))
    assert smf.keys == ((0, -3, True),)
    assert to_score(smf).tempos == ((0, 666_667),)
    assert to_score(smf).metres == ((0, Metre(5, 8)),)


@pytest.mark.parametrize("container", [True, False])
def test_zipped_files_are_opened(container: bool) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        if container:
            archive.writestr(
                "META-INF/container.xml",
                "<container><rootfile full-path='a/b.musicxml'/></container>",
            )
            archive.writestr("0.xml", "<other/>")
        archive.writestr("a/b.musicxml", sheet(note("C", 4, 4)))
    assert looks_like_xml(buffer.getvalue())
    assert rows(buffer.getvalue()) == [(0, 24, 60, 0)]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<a><b></a>", "bad XML"),
        (b"<html/>", "not MusicXML"),
        (b"<score-timewise/>", "score-timewise"),
        (b"PK\x03\x04rubbish", "broken zip"),
    ],
)
def test_what_is_no_musicxml_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    assert looks_like_xml(data)
    with pytest.raises(DatasetError, match=reason):
        read_musicxml(data)


@given(st.lists(st.tuples(st.integers(0, 2000), st.binary(max_size=6)), min_size=1, max_size=4))
def test_damaged_files_give_music_or_an_error(damage: list[tuple[int, bytes]]) -> None:
    data = bytearray(sheet(note("C", 4, 4) * 4, note("E", 4, 16)))
    for place, piece in damage:
        data[place : place + len(piece)] = piece
    try:
        smf = read_musicxml(bytes(data))
    except DatasetError:
        return
    assert (smf.notes["end"] >= smf.notes["start"]).all()
    to_score(smf)


@given(st.text(st.sampled_from("0123456789.-e+ xC∞"), max_size=12))
def test_odd_numbers_do_no_harm(text: str) -> None:
    number = text.replace("<", "")
    body = (
        f"<note><pitch><step>C</step><octave>{number}</octave></pitch><duration>{number}</duration>"
    )
    smf = read_musicxml(
        sheet(body + "</note>" + note("C", 4, 4), attributes=f"<staves>{number}</staves>")
    )
    assert len(to_score(smf).notes) <= 2
