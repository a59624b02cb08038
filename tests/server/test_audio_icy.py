"""Titles go into a stream, and what is heard stays whole."""

from __future__ import annotations

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from server.audio.door import INTERVAL, Interleaver, block


def taken_apart(stream: bytes) -> tuple[bytes, list[str]]:
    """As a player does it: sound, and the titles in order."""
    sound, titles = [], []
    while len(stream) > INTERVAL:
        sound.append(stream[:INTERVAL])
        length = 16 * stream[INTERVAL]
        text = stream[INTERVAL + 1 : INTERVAL + 1 + length].rstrip(b"\0").decode()
        if text:
            found = re.fullmatch(r"StreamTitle='(.*)';", text, re.DOTALL)
            assert found is not None, text
            titles.append(found[1])
        stream = stream[INTERVAL + 1 + length :]
    return b"".join([*sound, stream]), titles


pieces = st.lists(
    st.tuples(st.integers(0, 3 * INTERVAL), st.sampled_from(["", "A", "B (A′)", "it's"])),
    max_size=8,
)


@given(pieces)
def test_players_hear_all_of_the_sound_and_each_title_once(parts: list[tuple[int, str]]) -> None:
    interleaver = Interleaver()
    sound = [bytes([i + 1]) * length for i, (length, _) in enumerate(parts)]
    mixed = [interleaver.mix(data, title) for data, (_, title) in zip(sound, parts, strict=True)]
    heard, titles = taken_apart(b"".join(mixed))
    assert heard == b"".join(sound)
    assert not [title for title, after in pairwise(titles) if title == after]
    assert set(titles) <= {title.replace("'", "’") for _, title in parts}


def test_a_title_is_told_at_the_next_place() -> None:
    interleaver = Interleaver()
    first = interleaver.mix(bytes(INTERVAL), "One")
    assert first[INTERVAL:] == block("One")
    assert interleaver.mix(bytes(INTERVAL), "One")[INTERVAL:] == b"\0"
    assert interleaver.mix(bytes(INTERVAL), "Two")[INTERVAL:] == block("Two")


def test_no_title_breaks_out_of_its_place() -> None:
    text = block("it's '; StreamUrl='x\n" + "ü" * 9000)
    assert len(text) == 1 + 16 * text[0] <= 1 + 16 * 255
    assert text.count(b"';") == 1
    assert b"\n" not in text
