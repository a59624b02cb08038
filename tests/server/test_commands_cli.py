"""The command line: exit codes, one-line errors, and a help that is true."""

from __future__ import annotations

import argparse
import os
import pty
import re
import shlex
import subprocess
import sys
import types
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from common.errors import ControlError, OutputError
from server.base.console import deliver, paint, wants_colour
from server.commands import cli

ROOT = Path(__file__).parent.parent.parent
COMMANDS = metadata.entry_points(group="perpetuo.commands")
Run = Callable[[argparse.Namespace], int]


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Callable[[Run], None]:
    """Makes `play` the only command, and its duty whatever the test gives it."""

    def install(run: Run) -> None:
        module = types.ModuleType("a_command")
        module.HELP = "Play it once."  # type: ignore[attr-defined]
        module.EPILOG = "examples:\n  perpetuo play --loud"  # type: ignore[attr-defined]
        module.add_arguments = lambda parser: parser.add_argument("--loud", action="store_true")  # type: ignore[attr-defined]
        module.run = run  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "a_command", module)
        entry = metadata.EntryPoint("play", "a_command", cli.COMMANDS)
        monkeypatch.setattr(
            cli.metadata, "entry_points", lambda group: metadata.EntryPoints([entry])
        )

    return install


def raising(error: BaseException) -> Run:
    def run(args: argparse.Namespace) -> int:
        raise error

    return run


def shell(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "server", *words],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        **options,  # type: ignore[call-overload]
    )


def test_a_command_gets_its_arguments_and_gives_the_exit_code(play: Callable[[Run], None]) -> None:
    play(lambda args: 0 if args.loud else 5)
    assert cli.main(["play", "--loud"]) == 0
    assert cli.main(["play"]) == 5


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ControlError("tempo 900 is out of range: 20 to 300"), 1, "tempo 900 is out of range"),
        (OutputError("out.mid exists already: add --force"), 1, "out.mid exists already"),
        (OSError(28, "No space left on device", "out.mid"), 1, "No space left on device: out.mid"),
        (
            ModuleNotFoundError("No module named 'torch'", name="torch.nn"),
            1,
            "this needs torch, which is not installed: run pip install '.[train]'",
        ),
        (KeyboardInterrupt(), 130, "interrupted"),
        (KeyError("tempo"), 70, "a fault of ours (KeyError: 'tempo'): run it again with --debug"),
        (ModuleNotFoundError("No module named 'nowhere'", name="nowhere"), 70, "nowhere"),
        (MemoryError(), 70, "a fault of ours (MemoryError)"),
    ],
)
def test_every_error_is_one_line_and_a_code(
    play: Callable[[Run], None],
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    line: str,
) -> None:
    play(raising(error))
    assert cli.main(["play"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("perpetuo: ")
    assert err.count("\n") == 1
    assert line in err


@pytest.mark.parametrize("words", [["--debug", "play"], ["play", "--debug"]])
def test_debug_shows_the_traceback_and_keeps_the_code(
    play: Callable[[Run], None], capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    play(raising(ControlError("no such thing")))
    assert cli.main(words) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert err.endswith("perpetuo: no such thing\n")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["plya"], "there is no command 'plya': did you mean play? ('perpetuo --help' lists them)"),
        (["xyzzy"], "there is no command 'xyzzy' ('perpetuo --help' lists them)"),
        (["play", "--lod"], "there is no option --lod here: did you mean --loud?"),
        (["play", "--lod=3"], "there is no option --lod here: did you mean --loud?"),
        (["play", "again"], "there is no argument again here (see 'perpetuo play --help')"),
        (["--versoin"], "there is no option --versoin here: did you mean --version?"),
        (["--lou", "play"], "there is no option --lou here"),
    ],
)
def test_a_mistyped_line_is_code_2_and_names_the_nearest(
    play: Callable[[Run], None], capsys: pytest.CaptureFixture[str], words: list[str], line: str
) -> None:
    play(lambda args: 0)
    assert cli.main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert line in err


def test_without_a_command_the_help_is_shown_and_the_code_is_2(
    play: Callable[[Run], None], capsys: pytest.CaptureFixture[str]
) -> None:
    play(lambda args: 0)
    assert cli.main([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.search(r"play +Play it once\.", err)


def test_a_folder_that_is_not_installed_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli.metadata, "entry_points", lambda group: metadata.EntryPoints([]))
    assert cli.main(["compose"]) == 1
    assert "not installed here: run pip install ." in capsys.readouterr().err


def test_the_help_lists_every_command_with_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    out = capsys.readouterr().out
    for entry in COMMANDS:
        assert re.search(rf"^  {entry.name} +{re.escape(entry.load().HELP)}$", out, re.MULTILINE)


@pytest.mark.parametrize("name", sorted(COMMANDS.names))
def test_a_command_explains_itself_with_examples_that_parse(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([name, "--help"]) == 0
    out = capsys.readouterr().out
    examples = re.findall(rf"^ +perpetuo {name}(?!\S)(.*?)(?:  .*)?$", out, re.MULTILINE)
    assert examples
    command = COMMANDS[name].load()
    parser = cli.Parser(f"perpetuo {name}", command.HELP, command.EPILOG)
    command.add_arguments(parser)
    for example in examples:
        words = shlex.split(re.split(r" [|&>;] ?", example)[0])
        parser.parse_strictly(words)


def test_the_version_is_the_distributions(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"perpetuo {metadata.version('perpetuo-music')}\n"


def test_a_reader_that_went_away_is_quiet_and_code_141() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = shell("--version", stdout=writer)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_closed_standard_output_is_no_error() -> None:
    words = [sys.executable, "-m", "server", "--version"]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *words], cwd=ROOT, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_text_that_the_encoding_lacks_is_no_error() -> None:
    done = shell("--help", stdout=subprocess.PIPE, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
    ],
)
def test_colour_is_for_terminals_that_want_it(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], coloured: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    master, slave = pty.openpty()
    try:
        with open(slave, "w") as terminal:
            assert wants_colour(terminal) == coloured
            assert ("\x1b" in paint("word", "bold", terminal)) == coloured
    finally:
        os.close(master)


def test_pipes_files_and_closed_streams_get_plain_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    with (tmp_path / "out.txt").open("w") as stream:
        assert paint("word", "red", stream) == "word"
    assert paint("word", "red", stream) == "word"
    assert not wants_colour(None)


def test_a_dash_delivers_bytes_to_standard_output(
    capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    print("before", end=" ")
    deliver("-", b"\x00\xff", force=False)
    deliver(str(tmp_path / "song.mid"), b"MThd", force=False)
    assert capfdbinary.readouterr().out == b"before \x00\xff"
    assert (tmp_path / "song.mid").read_bytes() == b"MThd"


def test_bytes_are_not_sent_to_a_terminal_or_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(OutputError, match="closed: name a file"):
        deliver("-", b"", force=False)
    master, slave = pty.openpty()
    with open(master, "rb"), open(slave, "w") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        with pytest.raises(OutputError, match="pipe it on or name a file"):
            deliver("-", b"", force=False)
    monkeypatch.undo()
