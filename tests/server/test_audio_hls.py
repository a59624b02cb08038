"""Playlists name what can be fetched, in order, and tell where another encoder began."""

from __future__ import annotations

import re

from server.audio.hls import ENOUGH, KEPT, SEGMENT_SECONDS, TARGET, WINDOW, Playlist


def filled(segments: int) -> Playlist:
    playlist = Playlist("study")
    playlist.begin(b"head")
    for number in range(segments):
        playlist.append(bytes([number]), SEGMENT_SECONDS)
    return playlist


def named(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


def tag(text: str, name: str) -> str:
    found = re.search(rf"^#{name}:(.*)$", text, re.MULTILINE)
    assert found is not None, text
    return found[1]


def test_all_that_is_named_can_be_fetched() -> None:
    playlist = filled(KEPT + 9)
    text = playlist.text()
    assert text.startswith("#EXTM3U\n")
    assert len(named(text)) == WINDOW
    assert int(tag(text, "EXT-X-TARGETDURATION")) == TARGET >= SEGMENT_SECONDS
    first = int(tag(text, "EXT-X-MEDIA-SEQUENCE"))
    assert named(text) == [f"study/{n}.m4s" for n in range(first, first + WINDOW)]
    data = [playlist.file(name.removeprefix("study/")) for name in named(text)]
    assert data == [bytes([n - 1]) for n in range(first, first + WINDOW)]
    assert playlist.file("1.mp4") == b"head"
    assert playlist.sent == WINDOW + len(b"head")


def test_a_player_can_begin_when_there_is_enough() -> None:
    assert not filled(ENOUGH - 1).ready.is_set()
    assert filled(ENOUGH).ready.is_set()


def test_another_encoder_is_a_discontinuity_with_a_head_of_its_own() -> None:
    playlist = filled(2)
    playlist.begin(b"other")
    playlist.append(b"x", SEGMENT_SECONDS)
    text = playlist.text("?token=t")
    assert text.count("#EXT-X-DISCONTINUITY\n") == 1
    assert re.findall(r'MAP:URI="(.*)"', text) == ["study/1.mp4?token=t", "study/2.mp4?token=t"]
    assert named(text)[-1] == "study/3.m4s?token=t"
    assert (playlist.file("1.mp4"), playlist.file("2.mp4")) == (b"head", b"other")
    for _ in range(KEPT):
        playlist.append(b"y", SEGMENT_SECONDS)
    assert tag(playlist.text(), "EXT-X-DISCONTINUITY-SEQUENCE") == "2"
    assert playlist.file("1.mp4") is None


def test_what_is_over_is_not_offered_to_who_comes_later() -> None:
    playlist = filled(ENOUGH)
    playlist.stop()
    playlist.append(b"late", SEGMENT_SECONDS)
    assert not named(playlist.text())
    assert not playlist.ready.is_set()


def test_other_names_are_none() -> None:
    playlist = filled(3)
    for name in ("", "x", "1", "1.", "99.m4s", "0.mp4", "../1.m4s", "1.m4s/", "9" * 40 + ".m4s"):
        assert playlist.file(name) is None, name
