"""Standard MIDI Files: round trips, broken files, and mido as an independent peer."""

from __future__ import annotations

import io

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import MidiError
from engine.files.midi import (
    grid_error,
    performance_times,
    read,
    read_patterns,
    to_performance_score,
    to_score,
    write,
)
from engine.files.midi_reader import MAX_QUARTERS
from engine.music.bars import Pedal
from engine.music.fields import DRUM_PITCHES
from engine.music.score import DRUMS, NOTE, PARTS, Score, bar_grid, note_order
from engine.music.time import MAX_BAR_TICKS, Metre

END = b"\x00\xff\x2f\x00"


def chunk(body: bytes, tag: bytes = b"MTrk") -> bytes:
    return tag + len(body).to_bytes(4, "big") + body


def file_of(*bodies: bytes, kind: int = 1, division: int = 480) -> bytes:
    numbers = (kind, len(bodies), division)
    header = b"".join(number.to_bytes(2, "big") for number in numbers)
    return chunk(header, b"MThd") + b"".join(chunk(body) for body in bodies)


def spans(data: bytes) -> list[tuple[int, int, int]]:
    return [(int(n["start"]), int(n["end"]), int(n["pitch"])) for n in read(data).notes]


@st.composite
def scores(draw: st.DrawFn) -> Score:
    """Scores as the reader makes them: parts from 0 without a gap, one note of a pitch at once."""
    parts = [*range(draw(st.integers(1, DRUMS))), *([DRUMS] if draw(st.booleans()) else [])]
    rows = []
    for part in parts:
        pitches = st.sampled_from(DRUM_PITCHES) if part == DRUMS else st.integers(0, 127)
        for pitch in draw(st.lists(pitches, min_size=1, max_size=3, unique=True)):
            tick = 0
            for gap, length in draw(
                st.lists(st.tuples(st.integers(0, 90), st.integers(1, 200)), min_size=1, max_size=4)
            ):
                velocity = draw(st.integers(1, 127))
                rows.append((tick + gap, length, pitch, velocity, part))
                tick += gap + length
    metres, tick = [(0, draw(METRES))], 0
    for metre in draw(st.lists(METRES, max_size=3)):
        tick += metres[-1][1].ticks * draw(st.integers(1, 3))
        if metre != metres[-1][1]:
            metres.append((tick, metre))
    tempos, tick = [(0, draw(TEMPOS))], 0
    for tempo in draw(st.lists(TEMPOS, max_size=3)):
        tick += draw(st.integers(1, 500))
        if tempo != tempos[-1][1]:
            tempos.append((tick, tempo))
    programs = [0] * PARTS
    for part in parts:
        programs[part] = draw(st.integers(0, 127))
    notes = note_order(np.array(rows, NOTE))
    return Score(notes, tuple(metres), tuple(tempos), tuple(programs))


METRES = st.sampled_from([Metre(4, 4), Metre(3, 4), Metre(6, 8), Metre(7, 8), Metre(12, 8)])
TEMPOS = st.integers(1, 0xFFFFFF)


@given(scores())
def test_writing_and_reading_gives_the_same_score(score: Score) -> None:
    smf = read(write(score))
    again = to_score(smf)
    assert smf.repairs == ()
    assert again.notes.tolist() == score.notes.tolist()
    assert (again.metres, again.tempos) == (score.metres, score.tempos)
    assert again.programs == score.programs
    assert grid_error(smf) == (len(score.notes), 0.0, 0.0)


@given(scores())
def test_mido_reads_what_was_written(score: Score) -> None:
    file = mido.MidiFile(file=io.BytesIO(write(score, names=[f"part {i}" for i in range(PARTS)])))
    assert (file.type, file.ticks_per_beat) == (1, 480)
    assert [track.name for track in file.tracks[1:]] == [f"part {part}" for part in score.parts]
    found = []
    for track, part in zip(file.tracks[1:], score.parts, strict=True):
        tick, sounding = 0, {}
        for message in track:
            tick += message.time
            if message.type == "note_on":
                assert message.note not in sounding
                sounding[message.note] = (tick, message.velocity)
            elif message.type == "note_off":
                start, velocity = sounding.pop(message.note)
                assert message.channel == (9 if part == DRUMS else part)
                found.append((start // 20, (tick - start) // 20, message.note, velocity, part))
        assert not sounding
    assert sorted(found) == sorted(score.notes.tolist())


@given(scores(), st.booleans())
def test_what_mido_writes_is_read(score: Score, in_one_track: bool) -> None:
    file = mido.MidiFile(type=0 if in_one_track else 1, ticks_per_beat=96)
    events = []
    for onset, duration, pitch, velocity, part in score.notes.tolist():
        channel = 9 if part == DRUMS else part
        on = mido.Message("note_on", channel=channel, note=pitch, velocity=velocity)
        off = mido.Message("note_on", channel=channel, note=pitch, velocity=0)
        events += [(onset * 4, 1, part, on), ((onset + duration) * 4, 0, part, off)]
    events.sort(key=lambda event: event[:2])
    for part in [-1] if in_one_track else score.parts:
        track, now = mido.MidiTrack(), 0
        for tick, _, owner, message in events:
            if part in (-1, owner):
                track.append(message.copy(time=tick - now))
                now = tick
        file.tracks.append(track)
    buffer = io.BytesIO()
    file.save(file=buffer)
    assert to_score(read(buffer.getvalue())).notes.tolist() == score.notes.tolist()


@given(st.binary(max_size=300))
def test_any_bytes_give_a_file_or_a_midi_error(data: bytes) -> None:
    check_usable(data)


@given(st.lists(st.binary(max_size=60), max_size=4), st.integers(0, 3), st.integers(0, 0xFFFF))
def test_any_track_bodies_give_a_file(bodies: list[bytes], kind: int, division: int) -> None:
    check_usable(file_of(*bodies, kind=kind, division=division))


@settings(max_examples=200)
@given(scores(), st.data())
def test_damaged_files_give_a_file_or_a_midi_error(score: Score, data: st.DataObject) -> None:
    raw = bytearray(write(score))
    for _ in range(data.draw(st.integers(1, 5))):
        place = data.draw(st.integers(0, max(len(raw) - 1, 0)))
        match data.draw(st.integers(0, 3)):
            case 0:
                raw[place : place + 1] = bytes([data.draw(st.integers(0, 255))])
            case 1:
                del raw[place : place + data.draw(st.integers(1, 20))]
            case 2:
                raw[place:place] = data.draw(st.binary(max_size=8))
            case _:
                del raw[place:]
    check_usable(bytes(raw))


def check_usable(data: bytes) -> None:
    """`data` is refused by a MidiError, or everything made from it is in order."""
    try:
        smf = read(data)
    except MidiError:
        return
    assert (smf.notes["end"] >= smf.notes["start"]).all()
    assert (smf.notes["velocity"] > 0).all()
    assert smf.division > 0
    assert 0 <= grid_error(smf).off_grid <= 1
    for score in (to_score(smf), to_performance_score(smf)):
        notes = score.notes
        assert (notes["duration"] >= 1).all()
        assert (notes["onset"] >= 0).all()
        assert (notes["pitch"] < 128).all()
        assert (notes["part"] < PARTS).all()
        assert np.isin(notes["pitch"][notes["part"] == DRUMS], DRUM_PITCHES).all()
        assert note_order(notes).tolist() == notes.tolist()
        assert score.metres[0][0] == score.tempos[0][0] == 0
        assert all(a[0] < b[0] for a, b in zip(score.metres, score.metres[1:], strict=False))
        if len(notes):
            assert np.diff(bar_grid(score).starts).max(initial=1) <= MAX_BAR_TICKS
        assert to_score(read(write(score))).notes["pitch"].size == notes.size


def test_text_is_refused_with_a_sentence() -> None:
    with pytest.raises(MidiError, match="no MIDI file"):
        read(b"<?xml version='1.0'?>")


def test_running_status_goes_on_after_a_meta_event() -> None:
    body = bytes.fromhex("00903c40 60ff0101 41 003c00 003e40 603e00") + END
    assert spans(file_of(body, kind=0)) == [(0, 96, 60), (96, 192, 62)]


def test_sysex_system_and_unknown_events_are_stepped_over() -> None:
    body = bytes.fromhex(
        "00f0037e7ff7 00f203 04 00f8 00ff7f020102 00903c40 00e00040 00d011 60803c00"
    )
    assert spans(file_of(body + END)) == [(0, 96, 60)]
    assert read(file_of(body + END)).repairs == ()


def test_notes_without_an_end_stop_at_the_next_of_their_pitch_or_the_tracks_end() -> None:
    body = bytes.fromhex("00903c40 60903c41 60903e40 603e00") + END
    assert spans(file_of(body)) == [(0, 96, 60), (96, 288, 60), (192, 288, 62)]
    assert read(file_of(body)).repairs == ("notes without an end (2 times)",)


def test_overlapping_notes_of_one_pitch_end_in_the_order_they_began() -> None:
    body = bytes.fromhex("00903c40 60903c40 60803c00 60803c00") + END
    assert spans(file_of(body)) == [(0, 192, 60), (96, 288, 60)]
    notes = to_score(read(file_of(body, division=96))).notes
    assert notes[["onset", "duration"]].tolist() == [(0, 24), (24, 48)]


def test_a_note_of_no_length_lasts_one_tick() -> None:
    smf = read(file_of(bytes.fromhex("00903c40 00803c00") + END))
    assert to_score(smf).notes["duration"].tolist() == [1]


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_file_cut_off_keeps_what_came_before(cut: int) -> None:
    whole = file_of(bytes.fromhex("00903c40 60803c00 00903e40 60803e00") + END)
    smf = read(whole[:-cut])
    assert tuple(smf.notes[["start", "end", "pitch"]][0]) == (0, 96, 60)
    assert smf.repairs


def test_bytes_between_tracks_and_unknown_chunks_are_skipped() -> None:
    note = bytes.fromhex("00903c40 60803c00") + END
    head = file_of()
    data = b"\x00junk" + head + chunk(b"abc", b"XFIH") + chunk(note) + b"\x07\x00\xff" + chunk(note)
    smf = read(data)
    assert smf.notes["track"].tolist() == [0, 1]
    assert len(smf.repairs) == 2


@pytest.mark.parametrize("length", [0, 5, 200, 0xFFFFFFFF])
def test_a_wrong_track_length_is_mended(length: int) -> None:
    note = bytes.fromhex("00903c40 60803c00") + END
    first = b"MTrk" + length.to_bytes(4, "big") + note
    smf = read(file_of() + first + chunk(note))
    assert smf.notes["track"].tolist() == [0, 1]
    assert any("length" in text for text in smf.repairs)


def test_data_bytes_above_127_are_cut_to_127() -> None:
    smf = read(file_of(bytes.fromhex("00903cff 60803c00") + END))
    assert smf.notes["velocity"].tolist() == [127]
    assert smf.repairs == ("damaged events",)


def test_a_pause_of_days_ends_the_track() -> None:
    pause = b"\xff\xff\xff\x7f\x90\x3e\x40"
    body = bytes.fromhex("00903c40 60803c00") + pause * 9 + END
    smf = read(file_of(body, division=24))
    assert len(smf.notes) == 1
    assert smf.notes["end"].max() <= MAX_QUARTERS * 24
    assert smf.repairs


def test_timecode_ticks_fall_in_real_time() -> None:
    body = b"\x00\x90\x3c\x40\x87\x68\x80\x3c\x00" + END  # a second and no more
    smf = read(file_of(body, division=(256 - 25) << 8 | 40))
    assert performance_times(smf, smf.notes["end"]).tolist() == [1_000_000]


def test_patterns_of_a_type_2_file_are_pieces_of_their_own() -> None:
    tempo = bytes.fromhex("00ff5103 07a120")
    bodies = [tempo + END, bytes.fromhex("00c005 00903c40 60803c00") + END]
    bodies.append(bytes.fromhex("00ff5103 0f4240 00903e40 60803e00"))  # without its end
    found = read_patterns(file_of(*bodies, kind=2))
    rows = [[(int(n["start"]), int(n["end"]), int(n["pitch"])) for n in s.notes] for s in found]
    assert rows == [[], [(0, 96, 60)], [(0, 96, 62)]]
    assert [smf.tempos for smf in found] == [((0, 500_000),), (), ((0, 1_000_000),)]
    assert [smf.notes["program"].tolist() for smf in found] == [[], [5], [0]]
    assert [smf.repairs for smf in found] == [(), (), ("a track without its end",)]
    assert spans(file_of(*bodies, kind=2)) == [(0, 96, 60)]  # the first with notes
    assert "3 patterns are pieces of their own" in read(file_of(*bodies, kind=2)).remark
    assert len(read(file_of(kind=2)).notes) == 0


@pytest.mark.parametrize("kind", [0, 1])
def test_tracks_of_other_types_are_one_piece(kind: int) -> None:
    body = bytes.fromhex("00903c40 60803c00") + END
    (smf,) = read_patterns(file_of(body, body, kind=kind))
    assert (len(smf.notes), smf.remark) == (2, "")


def test_more_than_seven_groups_join_the_nearest_in_pitch() -> None:
    bodies = []
    for i in range(9):
        notes = bytes([0, 0x90 | i, 20 + 10 * i, 64, 96, 0x80 | i, 20 + 10 * i, 0])
        bodies.append(notes * (1 if i in (3, 5) else 2) + END)
    notes = to_score(read(file_of(*bodies))).notes
    assert len(np.unique(notes["part"])) == DRUMS
    part_of = {int(n["pitch"]): int(n["part"]) for n in notes}
    assert part_of[50] in (part_of[40], part_of[60])
    assert part_of[20] == 0


def test_channel_ten_is_drums_and_keeps_only_percussion_keys() -> None:
    body = bytes.fromhex("00992440 00990540 60892400 00890500") + END
    notes = to_score(read(file_of(body))).notes
    assert notes[["pitch", "part"]].tolist() == [(36, DRUMS)]


def test_metre_changes_near_a_bar_line_move_onto_it_and_others_cut_the_bar() -> None:
    def metre(delta: int, beats: int) -> bytes:
        return bytes([delta, 0xFF, 0x58, 4, beats, 2, 24, 8])

    body = metre(0, 4) + metre(97, 3) + metre(25, 2) + END
    score = to_score(read(file_of(body, division=24)))
    assert score.metres == ((0, Metre(4, 4)), (96, Metre(3, 4)), (122, Metre(2, 4)))


def test_the_pedal_holds_notes_until_it_rises_or_their_pitch_returns() -> None:
    body = (
        bytes.fromhex("00b0407f 00903c40 00903e40 0a803c00 00803e00 26903e40 0a803e00 26b04000")
        + END
    )
    smf = read(file_of(body, division=50))  # a file tick is 10 ms
    notes = to_performance_score(smf).notes
    assert notes[["onset", "duration", "pitch"]].tolist() == [
        (0, 48, 62),
        (0, 96, 60),
        (48, 48, 62),
    ]
    assert to_score(smf).notes["duration"].max() < 10


def test_tempo_changes_bend_real_time_and_not_the_grid() -> None:
    slow = bytes.fromhex("00ff5103") + (1_000_000).to_bytes(3, "big")
    body = bytes.fromhex("00903c40 60803c00") + slow + bytes.fromhex("00903e40 60803e00") + END
    smf = read(file_of(body, division=96))
    assert to_score(smf).notes["duration"].tolist() == [24, 24]
    assert to_performance_score(smf).notes["duration"].tolist() == [50, 100]


def test_the_grid_error_is_the_distance_in_milliseconds() -> None:
    body = bytes.fromhex("00903c40 60803c00 02903e40 60803e00") + END
    error = grid_error(read(file_of(body, division=96)))
    assert error.off_grid == 0.5
    assert error.mean_ms == pytest.approx(2 / 96 * 500 / 2)


@given(scores(), st.data())
def test_shifts_move_onsets_and_leave_no_note_hanging(score: Score, data: st.DataObject) -> None:
    shifts = np.array(
        data.draw(
            st.lists(st.integers(-30, 30), min_size=len(score.notes), max_size=len(score.notes))
        )
    )
    smf = read(write(score, shifts=shifts))
    assert smf.repairs == ()
    wanted = np.maximum(score.notes["onset"] * 20 + shifts, 0)
    assert set(smf.notes["start"].tolist()) == set(wanted.tolist())


@given(scores())
def test_the_same_score_gives_the_same_bytes(score: Score) -> None:
    shuffled = Score(score.notes[::-1], score.metres, score.tempos, score.programs)
    assert write(score) == write(shuffled)


def test_a_pedal_is_written_byte_for_byte() -> None:
    notes = np.array([(0, 24, 60, 80, 0), (96, 24, 62, 80, 0)], NOTE)
    data = write(Score(notes), pedals=[Pedal(5, 91, 0), Pedal(0, 24, 1)])
    track = data[data.rindex(b"MTrk") + 8 :]
    assert track == bytes.fromhex(
        "00c000 00903c50 64b0407f 827c803c40"  # down at 5 ticks, 100 of the file
        "8b20b04000 00903e50 8360803e40 00ff2f00"  # up before what the next bar strikes
    )
    pedals = read(data).pedals
    assert pedals.tolist() == [(100, 0, 127), (1920, 0, 0)]
