"""`perpetuo serve` as its user has it: a process that is started, read, signalled and ended."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from server.commands.cli import BROKEN_PIPE
from tests.bundles import tiny_bytes
from tests.server.served import PATIENCE, ROOT, Served, brisk, command, serving

pytestmark = pytest.mark.in_time

posix = pytest.mark.skipif(os.name != "posix", reason="signals are sent")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny.onnx"
    path.write_bytes(tiny_bytes("gpt"))
    return path


@pytest.fixture
def words(model: Path, tmp_path: Path) -> list[object]:
    """A quiet server of one station."""
    return [brisk(tmp_path), "--model", model, "--port", 0, "--state", tmp_path / "state"]


def done(*words: object) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself."""
    return subprocess.run(
        command(*words), cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENCE
    )


def refused(*words: object) -> str:
    """The one sentence with which it ends."""
    it = done(*words)
    assert it.returncode == 1, it.stderr
    (line,) = [line for line in it.stderr.splitlines() if line.startswith("perpetuo: ")]
    assert "Traceback" not in it.stderr
    assert "plays" not in it.stdout
    return line


# -- beginning -------------------------------------------------------------------------------------


@posix
def test_it_says_where_its_page_its_midi_port_and_its_osc_are(model: Path, tmp_path: Path) -> None:
    configuration = brisk(tmp_path, '[[midi.port]]\nname = "no such port"\nvirtual = false\n')
    with serving(configuration, "--model", model, "--port", 0, "--state", tmp_path) as served:
        assert served.until("^perpetuo plays ").endswith("1 station: test")
        assert json.loads(served.get("health"))["status"] == "ok"
        assert "html" in served.get("")
        midi = served.until("^  MIDI ")
        assert re.search(r"not yet: .*no MIDI port.*'perpetuo doctor' helps", midi)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(PATIENCE)
            client.sendto(b"/perpetuo/ping\0\0,\0\0\0", ("127.0.0.1", served.osc))
            assert client.recv(100).startswith(b"/perpetuo/pong\0")
        assert str(model) in served.until("^  model ")
        assert str(tmp_path) in served.until("^  memory ")
        served.until_bar(1)
        assert served.end() == 0


@pytest.mark.parametrize("name", sorted(p.stem for p in (ROOT / "configs").glob("*.toml")))
def test_every_configuration_that_comes_along_is_right(name: str) -> None:
    it = done("--check", f"configs/{name}.toml")
    assert (it.returncode, it.stderr) == (0, "")
    assert f"{name}.toml is right" in it.stdout


def test_checking_opens_makes_and_plays_nothing(model: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    it = done("--check", brisk(tmp_path), "--model", model, "--state", state)
    assert (it.returncode, it.stderr) == (0, "")
    assert it.stdout.endswith("is right: 1 station: test\n")
    assert not state.exists()


@pytest.mark.parametrize(
    ("text", "key", "remedy"),
    [
        ("lookahead = 99", "lookahead", "from 1 to 16"),
        ("lokahead = 3", "lokahead", "lookahead"),
        ('[[station]]\nname = "a"\n[[station]]\nname = "a"', "station[1].name", "choose another"),
        ('[[station]]\nname = "a"\npreset = "studi"', "station[0].preset", "study"),
        (
            '[[station]]\nname = "a"\ncontrols = { tempo = 9000 }',
            "station[0].controls.tempo",
            "300",
        ),
        ('[[midi.port]]\nname = "a"\nchannels = { 1 = 17 }', "midi.port[0].channels", "16"),
        ("[web]\nport = 70000", "web.port", "65535"),
        ('[osc]\nallow = ["everyone"]', "osc", "192.168.1.0/24"),
        ("lookahead = = 3", "", "is not TOML"),
    ],
)
def test_checking_names_file_key_and_remedy(
    tmp_path: Path, text: str, key: str, remedy: str
) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text(text, "utf-8")
    line = refused("--check", path)
    assert line.startswith(f"perpetuo: {path}: {key}")
    assert remedy in line


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (["--port", "70000"], r"command line: web\.port must be .*65535"),
        (["--model", "mine"], r"there is no model 'mine'.*'perpetuo models' lists"),
        (["--model", "mine.onnx"], r"names no file \(.*mine\.onnx\): check the path"),
        (["--preset", "stuudy"], r"'stuudy' is no preset: did you mean 'study'"),
        (["--seed", "-1"], r"station\[0\]\.seed must be"),
        (["nowhere.toml"], r"nowhere\.toml"),
        (["--state", "/dev/null/state"], r"cannot be made or used .*: choose another with 'state'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_wrong_on_the_command_line_is_one_sentence(
    tmp_path: Path, wrong: list[str], sentence: str
) -> None:
    words = ["--port", "0", "--state", tmp_path, *wrong]
    assert re.search(sentence, refused(*words))


def test_a_model_that_is_none_is_one_sentence(tmp_path: Path, words: list[object]) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"this is no model")
    line = refused(*words, "--model", broken)
    assert str(broken) in line


def test_a_port_that_is_taken_is_told_before_anything_is_begun(
    words: list[object], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        line = refused(*words, "--port", port)
    assert f"port {port} at 127.0.0.1 cannot be listened on" in line
    assert "--port" in line
    assert not list(tmp_path.glob("state/streams/*"))


@posix
def test_one_state_folder_serves_one_server(words: list[object]) -> None:
    with serving(*words) as served:
        line = refused(*words)
        assert "is in use by another server" in line
        assert "--state" in line
        before = served.bar()
        served.until_bar(before + 2)
        assert served.metric("perpetuo_bars_late_total") == 0
        assert served.end() == 0


# -- ending ----------------------------------------------------------------------------------------


@posix
@pytest.mark.parametrize("way", ["interrupt", "end"])
def test_it_ends_when_it_is_asked_to(words: list[object], way: str) -> None:
    with serving(*words) as served:
        served.until_bar(2)
        if way == "interrupt":
            served.interrupt()  # reaches the composing process no more than it should
        else:
            served.signal(signal.SIGTERM)
        asked = time.monotonic()
        assert served.wait() == 0
        # Ten seconds are what service managers and `docker stop` give.
        assert time.monotonic() - asked < 10
        assert "ending: every note is let go, every station saved" in served.said
        assert not [line for line in served.said if "WARNING" in line or "ERROR" in line]
        assert not [line for line in served.said if "Traceback" in line]


@posix
def test_it_ends_though_the_composing_process_hangs(words: list[object]) -> None:
    with serving(*words) as served:
        served.until_bar(2)
        composing = served.composing()
        os.kill(composing, signal.SIGSTOP)
        assert served.end() == 0
        assert not Path(f"/proc/{composing}").exists()
        served.until("test could not be saved")


@posix
def test_it_ends_while_it_begins(words: list[object]) -> None:
    served = Served(*words)
    try:
        while not served.said and not served.is_catching(signal.SIGTERM):
            time.sleep(0.005)
        assert served.end() == 0
    finally:
        served.kill()
    assert not [line for line in served.said if "Traceback" in line]


@posix
def test_it_saves_all_though_nobody_reads_what_it_says(words: list[object], tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as errors:
        process = subprocess.Popen(command(*words), cwd=ROOT, stdout=subprocess.PIPE, stderr=errors)
    assert process.stdout is not None
    while not process.stdout.readline().startswith(b"Ctrl-C ends it"):
        assert process.poll() is None
    process.stdout.close()
    process.terminate()
    assert process.wait(PATIENCE) == BROKEN_PIPE
    assert "test ended: the server ends" in log.read_text()
    with serving(*words) as served:
        served.until("test goes on at bar")
        assert served.end() == 0


# -- going on --------------------------------------------------------------------------------------


@posix
def test_started_again_it_goes_on(words: list[object]) -> None:
    with serving(*words) as served:
        served.until_bar(5)
        assert served.end() == 0
    with serving(*words) as served:
        line = served.until("test goes on at bar")
        bar = int(line.split()[-1])
        assert bar >= 5
        served.until_bar(bar + 2)
        assert served.station()["seed"] == 7
        assert served.end() == 0


@posix
def test_killed_it_goes_on_where_it_was(words: list[object]) -> None:
    with serving(*words) as served:
        served.until_bar(6)
        bar = served.bar()
        served.kill()
    with serving(*words) as served:
        line = served.until("test goes on at bar")
        # It notes once a second where it is.
        assert bar - 4 <= int(line.split()[-1]) <= bar + 1
        assert served.end() == 0


@posix
def test_a_kill_leaves_no_composing_process_behind(words: list[object]) -> None:
    with serving(*words) as served:
        composing = served.composing()
        served.kill()
        end = time.monotonic() + PATIENCE
        while Path(f"/proc/{composing}/exe").exists():
            assert time.monotonic() < end
            time.sleep(0.01)


# -- presets ---------------------------------------------------------------------------------------


@posix
def test_a_hangup_reads_the_presets_again(words: list[object], tmp_path: Path) -> None:
    presets = tmp_path / "presets"
    presets.mkdir()
    mine = 'title = "{}"\nhelp = "One of my own."\n[controls]\ndensity = {}\n'
    (presets / "mine.toml").write_text(mine.format("Mine", 2))
    configuration = tmp_path / "brisk.toml"
    configuration.write_text(f'presets = "{presets}"\n' + configuration.read_text())
    with serving(*words) as served:

        def known() -> dict[str, str]:
            return {row["name"]: row["title"] for row in json.loads(served.get("api/presets"))}

        assert known()["mine"] == "Mine"
        (presets / "mine.toml").write_text(mine.format("Still mine", 3))
        (presets / "other.toml").write_text(mine.format("Other", 1))
        served.signal(signal.SIGHUP)
        served.until("presets were read again")
        assert (known()["mine"], known()["other"]) == ("Still mine", "Other")
        (presets / "mine.toml").write_text(mine.format("Broken", 99))
        served.signal(signal.SIGHUP)
        assert re.search(r"mine\.toml.*density", served.until("presets stay as they were"))
        assert known()["mine"] == "Still mine"
        before = served.bar()
        served.until_bar(before + 2)
        assert served.metric("perpetuo_bars_late_total") == 0
        assert served.end() == 0


# -- several servers, and others in the network ----------------------------------------------------


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@posix
def test_two_servers_are_told_apart_by_their_port_alone(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    configuration = brisk(tmp_path)
    configuration.write_text(configuration.read_text().replace("[osc]\nport = 0\n", ""))
    first, second = _free_port(), _free_port()
    with serving(configuration, "--model", model, "--port", first) as one:
        port = one.osc
        with serving(configuration, "--model", model, "--port", second) as other:
            assert other.osc > port
            assert f"port 8771 is taken, so it listens on 127.0.0.1 port {other.osc}" in (
                other.until("^  OSC ")
            )
            assert other.until("^  memory ").endswith(f"/state/perpetuo/port-{second}")
            other.send_osc("/perpetuo/test/stop")
            other.until_bar(1)
            assert one.station()["state"] == "playing"
            assert other.end() == 0
        assert one.until("^  memory ").endswith("/state/perpetuo")
        assert one.end() == 0


@posix
def test_an_osc_port_that_was_named_is_taken_or_refused(
    words: list[object], tmp_path: Path
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert f"OSC cannot listen on 127.0.0.1 port {port}" in refused(*words, "--osc-port", port)
    with serving(*words, "--osc-port", port) as served:
        assert served.osc == port


@posix
def test_open_to_all_it_says_where_and_what_that_means(words: list[object], tmp_path: Path) -> None:
    configuration = Path(str(words[0]))
    configuration.write_text(configuration.read_text() + '\n[web]\nhost = "0.0.0.0"\n')
    with serving(*words) as served:
        greeting = served.until(r"^  warning  ")
        assert "whoever reaches this machine at 0.0.0.0 may listen" in greeting
        assert "set web.token" in greeting
        assert "WARNING perpetuo.web: there is no token" in served.until("WARNING perpetuo.web")
        assert served.page.startswith("http://localhost:")
        assert served.get("health")
