"""A running server is heard by those who know nothing of it: ffmpeg, Chromium, Icecast."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from server.audio.format import RATE, Samples
from server.audio.libraries import soundfont
from tests.bundles import tiny_bytes
from tests.server.icecast import SOURCE, Icecast, icecast
from tests.server.served import NO_MIDI, Served, brisk, serving
from tests.server.sound import decoded, ffmpeg, loudness_by_ffmpeg, need, need_libraries

__all__ = ["icecast"]

pytestmark = pytest.mark.in_time

ALL_FORMS = NO_MIDI + '[audio]\nformats = ["mp3", "opus", "hls"]\n'


ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny.onnx"
    path.write_bytes(tiny_bytes("gpt"))
    return path


@pytest.fixture(scope="module")
def served(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    need_libraries()
    folder = tmp_path_factory.mktemp("served")
    configuration = brisk(folder, ALL_FORMS)
    with serving(configuration, "--model", model, "--port", 0, "--state", folder) as served:
        served.until_bar(12)  # there is a past to hear
        yield served


def is_music(samples: Samples) -> bool:
    """Not silent, not clipped, and not the same all the time (at first a server has no past)."""
    levels = [float(np.abs(part).max()) for part in np.array_split(samples, 16)]
    loud = {round(level, 4) for level in levels if level > 0.02}
    return len(loud) >= 3 and max(loud) < 1.0


def ask(address: str, method: str = "GET", **headers: str) -> tuple[int, Any, bytes]:
    """Status, headers and body of an answer that ends."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    asked = urllib.request.Request(address, method=method, headers=named)
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def said_in(body: bytes) -> str:
    """The sentence of an error."""
    return str(json.loads(body)["error"]["message"])


def audio_pid(served: Served) -> int:
    """The process that makes sound."""
    for task in Path(f"/proc/{served.pid}/task").glob("*/children"):
        for pid in task.read_text().split():
            if b"server.audio" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                return int(pid)
    raise AssertionError("no process makes sound")


# -- over HTTP -------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["mp3", "opus"])
def test_ffmpeg_hears_a_stream_without_complaint(served: Served, form: str) -> None:
    samples = decoded(f"{served.page}stream/test.{form}", seconds=9)
    assert len(samples) == pytest.approx(9 * RATE, abs=RATE // 10)
    assert is_music(samples)
    loudness, peak = loudness_by_ffmpeg(samples[4 * RATE :])
    assert -21 < loudness < -12
    assert peak < 0


def test_ffmpeg_hears_hls(served: Served) -> None:
    samples = decoded(f"{served.page}stream/test.m3u8", seconds=11)
    assert len(samples) == pytest.approx(11 * RATE, abs=RATE // 10)
    assert is_music(samples)


def test_ffprobe_knows_what_the_streams_are(served: Served) -> None:
    need("ffprobe")
    for form, codec in (("mp3", "mp3"), ("opus", "opus"), ("m3u8", "aac")):
        words = ["ffprobe", "-v", "error", "-show_streams", "-of", "json"]
        asked = [*words, f"{served.page}stream/test.{form}"]
        done = subprocess.run(asked, capture_output=True, timeout=60, check=True)
        (stream,) = json.loads(done.stdout)["streams"]
        assert (stream["codec_name"], stream["sample_rate"]) == (codec, str(RATE))
        assert stream["channels"] == 2
        assert not done.stderr


def test_players_that_ask_for_titles_get_them(served: Served) -> None:
    asked = urllib.request.Request(f"{served.page}stream/test.mp3", headers={"Icy-MetaData": "1"})
    with urllib.request.urlopen(asked, timeout=60) as answer:
        interval = int(answer.headers["icy-metaint"])
        assert answer.headers["icy-name"] == "test"
        assert answer.headers["icy-br"] == "128"
        sound = answer.read(interval)
        title = answer.read(16 * answer.read(1)[0]).rstrip(b"\0").decode()
    assert sound[:2] == b"\xff\xfb"
    assert re.fullmatch(r"StreamTitle='test( \(.+\))?';", title), title
    with urllib.request.urlopen(f"{served.page}stream/test.mp3", timeout=60) as answer:
        assert answer.headers["icy-metaint"] is None


def test_a_preset_is_in_the_title_when_it_is_heard(served: Served) -> None:
    _, said = ffmpeg("-icy", 1, "-i", f"{served.page}stream/test.mp3", "-t", 1, "-f", "null", "-")
    assert re.search(r"StreamTitle +: test", said), said


def test_streams_are_told_of_and_counted(served: Served) -> None:
    (station,) = json.loads(served.get("api/stations"))
    assert station["streams"] == {
        "mp3": "/stream/test.mp3",
        "opus": "/stream/test.opus",
        "hls": "/stream/test.m3u8",
    }
    with urllib.request.urlopen(f"{served.page}stream/test.mp3", timeout=60) as answer:
        answer.read(1)
        assert served.metric('perpetuo_audio_listeners{stream="test.mp3"}') == 1
        assert served.metric('perpetuo_audio_encoding{stream="test.mp3"}') == 1
    assert served.metric("perpetuo_audio_up") == 1


def test_the_soundfont_comes_whole_and_only_once(served: Served) -> None:
    status, headers, body = ask(f"{served.page}soundfont.sf2")
    assert (status, body) == (200, soundfont(None).read_bytes())
    assert "max-age" in headers["cache-control"]
    again = ask(f"{served.page}soundfont.sf2", If_None_Match=headers["etag"])
    assert (again[0], again[2]) == (304, b"")


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("stream/test.mp3", "HEAD", 200),
        ("soundfont.sf2", "HEAD", 200),
        ("stream/test.wav", "GET", 404),
        ("stream/nobody.mp3", "GET", 404),
        ("stream/test/99999.m4s", "GET", 404),
        ("stream/", "GET", 404),
        ("stream/test.mp3", "POST", 405),
    ],
)
def test_everything_else_is_answered_in_words(
    served: Served, path: str, method: str, status: int
) -> None:
    answered, _, body = ask(served.page + path, method)
    assert answered == status
    assert bool(body) == (status != 200)
    assert not body or said_in(body)


def test_when_the_process_dies_listeners_stay_and_hear_on(served: Served) -> None:
    with urllib.request.urlopen(f"{served.page}stream/test.mp3", timeout=60) as answer:
        answer.read(16_000)
        os.kill(audio_pid(served), signal.SIGKILL)
        served.until("process that makes sound ended; it is started again")
        assert answer.read(9 * 16_000)[-1:]
    assert served.metric("perpetuo_audio_restarts_total") == 1
    assert is_music(decoded(f"{served.page}stream/test.opus", seconds=6))


def test_pages_of_other_sites_may_ask_beforehand(served: Served) -> None:
    status, headers, _ = ask(f"{served.page}stream/test.mp3", "OPTIONS")
    assert (status, "GET" in headers["allow"]) == (204, True)


def test_without_the_library_the_rest_works_and_says_why(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    missing = 'raise ImportError("Couldn\'t find the FluidSynth library.")\n'
    (bare / "fluidsynth.py").write_text(missing)
    monkeypatch.setenv("PYTHONPATH", str(bare))
    configuration = brisk(tmp_path, NO_MIDI)
    with serving(configuration, "--model", model, "--port", 0, "--state", tmp_path) as served:
        assert "apt-get install libfluidsynth3" in served.until("^  sound")
        status, _, body = ask(f"{served.page}stream/test.mp3")
        assert status == 503
        assert "apt-get install libfluidsynth3" in said_in(body)
        assert "brew install fluid-synth" in said_in(body)
        (station,) = json.loads(served.get("api/stations"))
        assert station["streams"] == {}
        served.until_bar(3)
        assert served.metric("perpetuo_audio_up") == 0


# -- Chromium --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    need("chromium")
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed (pip install playwright)"
    )
    with playwright.sync_playwright() as driver:
        path = shutil.which("chromium")
        browser = driver.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser.new_page()
        browser.close()


# Plays for so many seconds and tells how loud it was, and how long the first sound took.
LISTEN = """
async ([source, seconds]) => {
  const audio = new Audio(source);
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  context.createMediaElementSource(audio).connect(analyser).connect(context.destination);
  const levels = [], samples = new Float32Array(analyser.fftSize);
  let stalls = 0;
  audio.onwaiting = () => { stalls += audio.currentTime > 0 ? 1 : 0; };
  await audio.play();
  const begun = audio.currentTime;  // an endless stream may have begun long ago
  while (audio.currentTime - begun < seconds && !audio.error) {
    analyser.getFloatTimeDomainData(samples);
    levels.push(Math.max(...samples.map(Math.abs)));
    await new Promise((done) => setTimeout(done, 50));
  }
  const played = audio.currentTime - begun;
  audio.pause();
  audio.src = "";
  return { loudest: Math.max(...levels), played, stalls, error: audio.error?.message ?? null };
}
"""


@pytest.mark.parametrize("form", ["mp3", "opus"])
def test_chromium_plays_a_stream(served: Served, page: Any, form: str) -> None:
    page.goto(served.page)
    heard = page.evaluate(LISTEN, [f"/stream/test.{form}", 5])
    assert heard["played"] >= 5
    assert heard["loudest"] > 0.02
    assert heard["stalls"] == 0


# -- Icecast ---------------------------------------------------------------------------------------

PUSHED = (
    NO_MIDI
    + """
[[audio.icecast]]
port = {port}
mount = "/test.mp3"
password = "{password}"
name = "A radio"
genre = "moto perpetuo"
[[audio.icecast]]
port = {port}
mount = "/test.opus"
password = "{password}"
format = "opus"
[[audio.icecast]]
port = {port}
mount = "/refused.mp3"
password = "wrong"
"""
)


def test_an_icecast_is_sent_to_and_after_a_cut_again(
    icecast: Icecast, model: Path, tmp_path: Path
) -> None:
    """And at last the server ends in order, while somebody listens."""
    need_libraries()

    def is_sent() -> bool:
        sources = {one["listenurl"][-4:]: one for one in icecast.sources() or []}
        return {".mp3", "opus"} <= set(sources) and "title" in sources[".mp3"]

    configuration = brisk(tmp_path, PUSHED.format(port=icecast.port, password=SOURCE))
    with serving(configuration, "--model", model, "--port", 0, "--state", tmp_path) as served:
        icecast.until(is_sent)
        mp3 = next(one for one in icecast.sources() or [] if "mp3" in one["listenurl"])
        assert (mp3["server_name"], mp3["genre"]) == ("A radio", "moto perpetuo")
        assert mp3["title"].startswith("test")
        for form in ("mp3", "opus"):
            assert is_music(decoded(f"{icecast.address}/test.{form}", seconds=8))
        assert "it refuses the password" in served.until("refused.mp3: not sent")
        icecast.stop()
        served.until("test.mp3: not sent: .*; tried again")
        icecast.start()
        icecast.until(is_sent)
        name = f'perpetuo_icecast_up{{mount="Icecast localhost:{icecast.port}/test.mp3"}}'
        assert served.metric(name) == 1
        with urllib.request.urlopen(f"{served.page}stream/test.mp3", timeout=60) as answer:
            answer.read(100)
            assert served.end() == 0
        assert not any("Traceback" in line or " ERROR " in line for line in served.said)
