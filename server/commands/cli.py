"""The command line: finds the subcommand, runs it, turns errors into sentences and exit codes.

Exit codes: 0 done, 1 something about the input was wrong, 2 the command line was, 70 a fault of
ours, 130 interrupted, 141 nobody reads the output any more.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import sys
import traceback
from collections.abc import Iterable, Sequence
from importlib import metadata
from typing import NoReturn, Protocol, cast

from common.errors import PerpetuoError
from server.base.console import complain, is_terminal, paint, tolerate_any_encoding
from server.base.distribution import DISTRIBUTION, version

COMMANDS = "perpetuo.commands"
OK, USER_ERROR, USAGE, INTERNAL, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 70, 130, 141

EXAMPLES = """\
examples:
  perpetuo compose -o first.mid            compose a minute or so with the embedded model
  perpetuo compose --seed 7 --set tempo=84 --set density=3 -o calm.mid
  perpetuo controls                        what --set can steer
  perpetuo compose --help                  all options of a command
"""


class Command(Protocol):
    """A module named by an entry point of the group `perpetuo.commands`.

    It must be light to import: what is heavy, it imports in `run`.
    """

    HELP: str
    EPILOG: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, args: argparse.Namespace) -> int: ...


class Parser(argparse.ArgumentParser):
    """argparse with errors of one line, and with the nearest option for an unknown one."""

    def __init__(self, prog: str, help: str, epilog: str) -> None:
        super().__init__(
            prog=prog,
            description=help,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        complain(f"{message} (see '{self.prog} --help')")
        sys.exit(USAGE)

    def parse_strictly(self, words: Sequence[str]) -> argparse.Namespace:
        args, unknown = self.parse_known_args(words)
        if unknown:
            option = unknown[0].partition("=")[0]
            what = "option" if option.startswith("-") else "argument"
            self.error(f"there is no {what} {option} here{_nearest(option, self._options())}")
        return args

    def _options(self) -> list[str]:
        return [name for action in self._actions for name in action.option_strings]


class Overview(Parser):
    """The parser of what stands before the command; its help lists the commands."""

    def format_help(self) -> str:
        # Only here: it imports the modules of all commands.
        self.epilog = f"{_listed_commands()}\n\n{EXAMPLES}"
        return super().format_help()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (without the program's name) and return its exit code."""
    tolerate_any_encoding()
    words = list(sys.argv[1:] if arguments is None else arguments)
    # `--debug` may stand anywhere; it is needed even if the rest cannot be parsed.
    debug = "--debug" in words
    try:
        return _flushed(_dispatch(words))
    except SystemExit as stop:  # argparse, after a help or an error that is already printed
        return _flushed(int(stop.code or OK))
    except BaseException as error:
        if debug:
            traceback.print_exc()
        return _report(error)


def _dispatch(words: list[str]) -> int:
    first = next((i for i, word in enumerate(words) if not word.startswith("-")), len(words))
    parser = Overview("perpetuo", "Composes music without end, and can be steered.", EXAMPLES)
    parser.usage = "perpetuo [--version] [--debug] COMMAND …"
    add_debug(parser)
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    options = parser.parse_strictly(words[:first])
    if options.version:
        print(f"perpetuo {version()}")
        return OK
    if first == len(words):
        parser.print_help(sys.stderr)
        return USAGE
    return _run(words[first], words[first + 1 :])


def _run(name: str, words: list[str]) -> int:
    command = _load(name)
    parser = Parser(f"perpetuo {name}", command.HELP, command.EPILOG)
    command.add_arguments(parser)
    add_debug(parser)
    return command.run(parser.parse_strictly(words))


def add_debug(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--debug", action="store_true", help="show tracebacks of errors")


def _load(name: str) -> Command:
    entries = _entries()
    if name not in entries.names:
        hint = _nearest(name, entries.names)
        complain(f"there is no command '{name}'{hint} ('perpetuo --help' lists them)")
        sys.exit(USAGE)
    return cast(Command, entries[name].load())


def _entries() -> metadata.EntryPoints:
    entries = metadata.entry_points(group=COMMANDS)
    if not entries:
        raise metadata.PackageNotFoundError(DISTRIBUTION)
    return entries


def _listed_commands() -> str:
    lines = ["commands:"]
    for name in sorted(_entries().names):
        lines.append(f"  {paint(f'{name:<10}', 'bold')} {_load(name).HELP}")
    return "\n".join(lines)


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), 1)
    return f": did you mean {near[0]}?" if near else ""


def _report(error: BaseException) -> int:
    match error:
        case BrokenPipeError():
            return _flushed(BROKEN_PIPE)
        case KeyboardInterrupt():
            if is_terminal(sys.stderr):
                print(file=sys.stderr)
            complain("interrupted")
            return _flushed(INTERRUPTED)
        case metadata.PackageNotFoundError():
            complain("perpetuo is not installed here: run pip install . in its folder")
        case ModuleNotFoundError() if extra := _extra_with(package := _package(error)):
            complain(
                f"this needs {package}, which is not installed: "
                f"run pip install '.[{extra}]' in perpetuo's folder"
            )
        case PerpetuoError():
            complain(str(error))
        case OSError() if error.strerror:
            complain(error.strerror + (f": {error.filename}" if error.filename else ""))
        case _:
            what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            complain(f"a fault of ours ({what}): run it again with --debug and report what it says")
            return _flushed(INTERNAL)
    return _flushed(USER_ERROR)


def _package(error: ModuleNotFoundError) -> str:
    return (error.name or "").partition(".")[0]


def _extra_with(package: str) -> str | None:
    """The extra of ours that brings a package, "dev" only if no other does."""
    extras = []
    for requirement in metadata.requires(DISTRIBUTION) or []:
        name = re.match(r"[\w-]+", requirement)
        extra = re.search(r"extra == ['\"](\w+)['\"]", requirement)
        if name and extra and name.group().replace("-", "_") == package:
            extras.append(extra.group(1))
    return min(extras, key=lambda extra: extra == "dev", default=None)


def _flushed(code: int) -> int:
    """The code, after what was printed went out; 141 if nobody reads it any more."""
    if sys.stdout is None:
        return code
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more at exit: give that somewhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    return code
