"""`perpetuo render`: what comes out is as long and as loud as asked for, and tagged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.files.midi import read
from server.audio import libraries
from server.audio.events import events_of
from server.audio.files import KINDS, TAIL, SoundedMusic, kind_of, mastered, piece_of
from server.audio.format import BLOCK, GRAIN, RATE, Samples, amplitude_of
from server.audio.limiter import DELAY
from server.audio.master import CEILING
from server.commands.cli import main
from tests.bundles import tiny_bytes
from tests.server.sound import (
    at,
    decoded,
    ffmpeg,
    loudness_by_ffmpeg,
    midi,
    need,
    need_libraries,
)

SCALE = midi(
    at(0, 0xC0, 0),
    *(at(0, 0x90, 60 + i, 100) + at(240, 0x80, 60 + i, 0) for i in range(16)),
)
SCALE_SECONDS = 16 * 0.25


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny.onnx"
    path.write_bytes(tiny_bytes("gpt"))
    return path


@pytest.fixture
def tune(tmp_path: Path) -> Path:
    path = tmp_path / "scale.mid"
    path.write_bytes(SCALE)
    return path


def said(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, Any]:
    """What a command prints as JSON."""
    assert main(["render", *map(str, words), "--json"]) == 0
    return dict(json.loads(capsys.readouterr().out))


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert main(["render", *map(str, words)]) == 1
    return capsys.readouterr().err


# -- what is done to the sound, without any library ------------------------------------------------


class Ramp:
    """An instrument whose sound tells which frame it is."""

    def __init__(self) -> None:
        self.frame = 0

    def send(self, message: tuple[int, ...]) -> None: ...

    def render(self, frames: int) -> Samples:
        assert frames % GRAIN == 0
        counted = (self.frame + np.arange(frames, dtype=np.float64)) / (10 * RATE)
        self.frame += frames
        return np.repeat(counted[:, None], 2, axis=1).astype(np.float32)


@pytest.mark.parametrize("frames", [1, DELAY, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 17])
def test_a_file_has_all_frames_of_its_piece_and_no_other(frames: int) -> None:
    piece = SoundedMusic((), frames, is_cut=False)
    out = np.concatenate(list(mastered(piece, Ramp(), 0.0, lambda seconds: None)))
    wanted = Ramp().render((frames // GRAIN + 1) * GRAIN)[:frames]
    np.testing.assert_allclose(out, wanted, atol=1e-6)


def test_what_is_cut_off_fades_out_and_nothing_else_does() -> None:
    class Steady(Ramp):
        def render(self, frames: int) -> Samples:
            return np.full((frames, 2), 0.5, np.float32)

    def rendered(is_cut: bool) -> Samples:
        piece = SoundedMusic((), 5 * RATE, is_cut)
        return np.concatenate(list(mastered(piece, Steady(), 0.0, lambda seconds: None)))

    assert rendered(False)[-1, 0] == 0.5
    cut = rendered(True)[:, 0]
    assert cut[-1] < 1e-6
    assert (cut[DELAY + 1 : 3 * RATE] == 0.5).all()
    assert (np.diff(cut[3 * RATE :]) <= 0).all()


def test_a_piece_is_as_long_as_asked_for_or_until_it_has_faded() -> None:
    events = events_of(read(SCALE))
    whole = piece_of(events, None)
    assert whole.frames == round((SCALE_SECONDS + TAIL) * RATE)
    assert not whole.is_cut
    assert piece_of(events, 2.5) == SoundedMusic(events, round(2.5 * RATE), is_cut=True)
    assert piece_of(events, 60).frames == 60 * RATE
    assert not piece_of(events, 60).is_cut
    assert piece_of([], None).frames == TAIL * RATE


# -- with all libraries ----------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", KINDS)
def test_a_midi_file_becomes_a_sound_file(
    suffix: str, tune: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    need_libraries()
    need("ffmpeg")
    path = tune.with_suffix(suffix)
    made = said(capsys, tune, "-o", path)
    assert made["seconds"] == pytest.approx(SCALE_SECONDS + TAIL)
    samples = decoded(path)
    assert len(samples) / RATE == pytest.approx(made["seconds"], abs=0.08)
    loudness, peak = loudness_by_ffmpeg(samples)
    assert loudness == pytest.approx(-16, abs=0.7)
    assert peak <= CEILING + 0.8
    _, told = ffmpeg("-i", path, "-f", "null", "-")
    assert suffix == ".wav" or "scale" in told
    assert not list(path.parent.glob(".perpetuo*"))


def test_loudness_is_as_asked_for(tune: Path, capsys: pytest.CaptureFixture[str]) -> None:
    need_libraries()
    path = tune.with_suffix(".flac")
    said(capsys, tune, "-o", path, "--loudness", -23)
    assert loudness_by_ffmpeg(decoded(path))[0] == pytest.approx(-23, abs=0.3)


def test_composed_and_logged_music_is_the_same_music(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    need_libraries()
    log, first, again = tmp_path / "a.log", tmp_path / "a.flac", tmp_path / "b.flac"
    words = ["--model", str(model), "--seed", "5", "--bars", "4", "--set", "tempo=200"]
    assert main(["compose", *words, "--log", str(log), "-o", str(tmp_path / "a.mid")]) == 0
    capsys.readouterr()
    composed = said(capsys, *words, "-o", first)
    replayed = said(capsys, log, "--model", model, "-o", again)
    assert composed["seconds"] == replayed["seconds"]
    assert composed["measured"] == replayed["measured"]
    np.testing.assert_array_equal(decoded(first), decoded(again))
    _, told = ffmpeg("-i", first, "-f", "null", "-")
    assert "seed 5" in told


def test_seconds_are_exact_and_end_softly(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    need_libraries()
    path = tmp_path / "a.wav"
    made = said(capsys, "--model", model, "--seconds", 3, "--set", "tempo=200", "-o", path)
    assert made["seconds"] == 3
    samples = decoded(path)
    assert len(samples) == 3 * RATE
    assert np.abs(samples[-100:]).max() < 0.01
    assert np.abs(samples).max() <= amplitude_of(CEILING) * 1.001


# -- what is refused -------------------------------------------------------------------------------


def test_mistakes_are_told_before_anything_is_done(
    tune: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    need_libraries()
    assert "should end in one of .wav, .flac, .mp3, .opus" in refused(capsys, tune, "-o", "x.ogg")
    out = tmp_path / "out.wav"
    assert "--bars counts what is composed" in refused(capsys, tune, "--bars", 3, "-o", out)
    for more in (("--preset", "study"), ("--set", "tempo=90"), ("--seed", "9")):
        assert "leave out one or the other" in refused(capsys, tune, *more, "-o", out)
    assert "is no SoundFont" in refused(capsys, tune, "--soundfont", tune, "-o", out)
    assert "does not exist" in refused(capsys, tmp_path / "no.mid", "-o", out)
    out.write_bytes(b"kept")
    assert "exists already" in refused(capsys, tune, "-o", out)
    assert out.read_bytes() == b"kept"


def test_without_the_libraries_one_sentence_says_how_to_get_them(
    tune: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(name: str) -> Any:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(libraries, "import_module", fail)
    told = refused(capsys, tune, "-o", tune.with_suffix(".wav"))
    assert len(told.splitlines()) == 1
    assert "pip install '.[audio]'" in told
    assert "apt-get install libfluidsynth3" in told or "brew install fluid-synth" in told


def test_endings_may_be_written_large() -> None:
    assert kind_of(Path("A.WAV")) == KINDS[".wav"]
