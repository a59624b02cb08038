"""Measures are played in the order that a player would take."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.files.midi import to_score
from export.data.build import DatasetOptions, build
from export.data.musicxml import read_musicxml
from export.data.repeats import MAX_TIMES, NOT_FOLLOWED, Order, order_of
from tests.export.test_data_musicxml import note, rows, sheet

BEGIN, END = "<barline><repeat direction='forward'/></barline>", "<barline>{}</barline>"
BACK = "<repeat direction='backward'/>"
NOTE = "<note><pitch><step>C</step><octave>4</octave></pitch><duration>4</duration></note>"


def sound(**signs: str) -> str:
    return "<sound " + " ".join(f"{kind}='{label}'" for kind, label in signs.items()) + "/>"


def words(text: str) -> str:
    return f"<direction><direction-type><words>{text}</words></direction-type></direction>"


# What stands before and after the notes of a measure, by the tokens that tests write it with.
BEFORE = {
    "|:": BEGIN,
    "[1": "<barline><ending number='1' type='start'/></barline>",
    "[2": "<barline><ending number='2' type='start'/></barline>",
    "[3": "<barline><ending number='3' type='start'/></barline>",
    "[1,2": "<barline><ending number='1, 2' type='start'/></barline>",
    "[": "<barline><ending number='' type='start'/></barline>",
    "segno": sound(segno="s"),
    "coda": sound(coda="c"),
    "early-fine": sound(fine="yes"),
}
AFTER = {
    ":|": END.format(BACK),
    ":|x3": END.format("<repeat direction='backward' times='3'/>"),
    "]:|": END.format("<ending number='1' type='stop'/>" + BACK),
    "]": END.format("<ending number='2' type='discontinue'/>"),
    "D.C.": words("D.C.") + sound(dacapo="yes"),
    "D.C.alFine": words("D.C. al Fine") + sound(dacapo="yes"),
    "D.S.": sound(dalsegno="s"),
    "toCoda": sound(tocoda="c"),
    "fine": sound(fine="yes"),
    "words": words("D.S. al Coda"),
    "dolce": words("dolce, con finezza"),
}


def measures(text: str) -> list[ElementTree.Element]:
    """Measures out of text such as "A |: B :| C"; a capital letter is one with two notes."""
    found: list[str] = []
    before = ""
    for token in text.split():
        if token in BEFORE:
            before += BEFORE[token]
        elif token in AFTER:
            found[-1] += AFTER[token]
        else:
            assert len(token) == 1, token
            found.append(before + NOTE + NOTE)
            before = ""
    return [ElementTree.fromstring(f"<measure>{body}</measure>") for body in found]


def played(text: str) -> str:
    queued_requests = [token for token in text.split() if len(token) == 1 and token.isupper()]
    order = order_of([measures(text)])
    assert order.unfollowed == ""
    return "".join(queued_requests[i] for i in order.measures)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("A B C", "ABC"),
        ("A B :| C", "ABABC"),
        ("A |: B :| C :| D", "ABBCCD"),
        ("|: A :| |: B C :|", "AABCBC"),
        ("A |: B :|x3 C", "ABBBC"),
        ("A |: B [1 C ]:| [2 D ] E", "ABCBDE"),
        ("A B [1 C D ]:| [2 E F ] G", "ABCDABEFG"),
        ("|: A [1 B ]:| C |: D :|", "ABACDD"),
        ("|: A [1,2 B ]:| [3 C ] D", "ABABACD"),
        ("|: A [1 B ]:| [2 C ]:| [3 D ] E", "ABACADE"),
        ("|: A [1 B ]:| [2 C ] |: D [1 E ]:| [2 F ]", "ABACDEDF"),
        ("A |: B |: C :| D", "ABCCD"),
        ("A B D.C.", "ABAB"),
        ("A B fine C D.C.alFine", "ABCAB"),
        ("A :| B :| fine C :| D.C.alFine D", "AABBCCAB"),
        ("A segno B C D.S. D", "ABCBCD"),
        ("A segno B toCoda C D.S. coda D E", "ABCBDE"),
        ("|: A [1 B ]:| [2 C ] D D.C.", "ABACDACD"),
        ("A dolce B", "AB"),
        ("segno A coda B", "AB"),
        ("", ""),
    ],
)
def test_what_is_clear_is_played_out(written: str, expected: str) -> None:
    assert played(written) == expected


@pytest.mark.parametrize(
    ("written", "expected", "reason"),
    [
        ("A :| B words", "AAB", "stand there as words alone"),
        ("A B C D.C.alFine", "ABC", "'al fine' is asked for"),
        ("A D.S. B", "AB", "no segno to go to"),
        ("A segno B toCoda C D.S. D", "ABCD", "no coda to go to"),
        ("A B D.C. C D.C.", "ABC", "more than one da capo"),
        ("A fine B fine C D.C.", "ABC", "more than one fine"),
        ("segno A segno B D.S. C", "ABC", "more than one segno"),
        ("early-fine A B D.C.", "AB", "the fine in measure 1 stands amid its notes"),
        ("A D.S. segno B", "AB", "stands after the place"),
        ("A coda B toCoda C D.C. D", "ABCD", "not on the way"),
        ("A |: B [1 C fine ]:| [2 D ] E D.C.", "ABCBDE", "never comes to the fine"),
        ("|: A B D.C. C :| D", "ABCABCD", "amid what is repeated"),
        ("A [2 B ] C", "ABC", "not in order"),
        ("|: A [1 B ] [2 C ] D", "ABCD", "not in order"),
        ("|: A [1 B ] C", "ABC", "leads nowhere"),
        ("|: A [ B ]:| C", "ABC", "no clear numbers"),
        ("|: A [1 B C", "ABC", "has no end"),
    ],
)
def test_what_is_not_clear_is_said(written: str, expected: str, reason: str) -> None:
    queued_requests = [token for token in written.split() if len(token) == 1 and token.isupper()]
    order = order_of([measures(written)])
    assert "".join(queued_requests[i] for i in order.measures) == expected
    assert order.unfollowed.startswith(NOT_FOLLOWED)
    assert reason in order.unfollowed


TOKENS = st.sampled_from([*BEFORE, *AFTER, "A"])


@given(st.lists(TOKENS, max_size=24))
def test_any_signs_come_to_an_end_and_every_measure_is_there_or_it_is_said(
    tokens: list[str],
) -> None:
    text = "A " + " ".join(tokens)
    found = measures(text)
    order = order_of([found])
    assert len(order.measures) <= (MAX_TIMES + 1) * len(found)
    assert set(order.measures) <= set(range(len(found)))
    if order.unfollowed.startswith(f"{NOT_FOLLOWED}: the ending"):
        assert order.measures == list(range(len(found)))


def test_signs_may_stand_in_any_part() -> None:
    order = order_of([measures("A B C"), measures("A B :| C"), measures("A")])
    assert order == Order([0, 1, 0, 1, 2])


def test_repeated_measures_sound_as_they_are_written() -> None:
    """Metre, key, divisions and tempo are those of the place, not those of what came before."""
    first = sound(tempo="60") + note("C", 4, 16)
    change = (
        "<attributes><divisions>8</divisions><key><fifths>2</fifths></key>"
        "<time><beats>2</beats><beat-type>4</beat-type></time></attributes>"
    )
    second = sound(tempo="90") + change + note("D", 4, 16) + END.format(BACK)
    data = sheet(first, second, note("E", 4, 16), attributes="<key><fifths>0</fifths></key>")
    assert rows(data) == [
        (0, 96, 60, 0),
        (96, 48, 62, 0),
        (144, 96, 60, 0),
        (240, 48, 62, 0),
        (288, 48, 64, 0),
    ]
    smf = read_musicxml(data)
    assert [sharps for _, sharps, _ in smf.keys] == [0, 2, 0, 2]
    score = to_score(smf)
    assert [tick for tick, _ in score.metres] == [0, 96, 144, 240]
    assert score.tempos == ((0, 1_000_000), (96, 666_667), (144, 1_000_000), (240, 666_667))


def test_a_leap_takes_key_and_tempo_of_its_goal(tmp_path: Path) -> None:
    two = sound(tempo="60") + "<attributes><key><fifths>1</fifths></key></attributes>"
    parts = [note("C", 4, 16), two + note("D", 4, 16)]
    parts += ["<barline><repeat direction='forward'/></barline>" + note("E", 4, 16)]
    parts += [sound(tempo="120") + note("F", 4, 16) + END.format(BACK)]
    smf = read_musicxml(sheet(*parts))
    score = to_score(smf)
    assert score.tempos == ((0, 500_000), (96, 1_000_000), (288, 500_000), (384, 1_000_000),
                            (480, 500_000))  # fmt: skip
    assert smf.keys[-1].tick == 4 * 4 * smf.division


def test_the_report_names_pieces_whose_jumps_were_not_followed(tmp_path: Path) -> None:
    bars = [note("CDEFGAB"[i % 7], 4, 4) * 4 for i in range(8)]
    (tmp_path / "clear.musicxml").write_bytes(sheet(*bars, bars[0] + END.format(BACK)))
    (tmp_path / "unclear.musicxml").write_bytes(sheet(*bars[::-1], bars[3] + words("D.S. al Fine")))
    figures = build([tmp_path], tmp_path / "set", DatasetOptions(jobs=1))
    (told,) = figures["not_followed"]
    assert told["file"] == "unclear.musicxml"
    assert "words alone" in told["reason"]
    assert figures["notes"] == 2 * 36 + 36
    assert "unclear.musicxml: jumps not followed" in (tmp_path / "set/report.txt").read_text()
    assert json.loads((tmp_path / "set/report.json").read_text())["not_followed"] == [told]
