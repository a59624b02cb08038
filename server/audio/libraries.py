"""What sound needs beside the base packages, and the sentences that say how to get it."""

from __future__ import annotations

import contextlib
import io
import platform
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from common.errors import AudioError, PerpetuoError
from common.files import SOUNDFONT, read_beginning
from server.audio import soundfonts

BUNDLED = "TimGM6mb.sf2"
_HEAD = 12  # bytes of a SoundFont that tell that it is one
PACKAGES = "pip install '.[audio]' in perpetuo's folder"


def fluidsynth() -> ModuleType:
    """pyfluidsynth with the system's FluidSynth; AudioError says what is missing."""
    # It may print where the library was found, in the middle of what a command prints.
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return import_module("fluidsynth")
    except ModuleNotFoundError as error:
        raise _no_package("pyfluidsynth") from error
    except (ImportError, OSError, AttributeError) as error:
        raise AudioError(
            f"sound needs FluidSynth, which this system does not have: {_remedy()}"
        ) from error


def av() -> ModuleType:
    """PyAV, with encoders and containers inside; AudioError if it is missing."""
    try:
        return import_module("av")
    except ImportError as error:
        raise _no_package("PyAV") from error


def lameenc() -> ModuleType:
    """LAME, the encoder of MP3; AudioError if it is missing."""
    try:
        return import_module("lameenc")
    except ImportError as error:
        raise _no_package("lameenc") from error


def _no_package(name: str) -> AudioError:
    return AudioError(
        f"sound needs the Python package {name}, which is not installed: run {PACKAGES}"
        f" (and {_remedy()[4:]})"
    )


def _remedy() -> str:
    if platform.system() == "Darwin":
        return "run brew install fluid-synth"
    return "run apt-get install libfluidsynth3 (on macOS brew install fluid-synth)"


def soundfont(chosen: Path | None) -> Path:
    """The SoundFont to play with: the chosen one, a file or what one is called, or the one that
    comes with pretty_midi, which need not be imported for that."""
    if chosen is not None and soundfonts.is_name(chosen):
        chosen = soundfonts.named(chosen.name)
    if chosen is not None:
        check_soundfont(chosen)
        return chosen
    package = find_spec("pretty_midi")
    for folder in (package.submodule_search_locations or ()) if package else ():
        path = Path(folder) / BUNDLED
        if path.is_file():
            return path
    raise AudioError(
        "the SoundFont of the package pretty_midi is missing: install perpetuo anew, or name one"
        " with audio.soundfont"
    )


def check_soundfont(path: Path) -> None:
    """AudioError if a file is no SoundFont."""
    try:
        head = read_beginning(path, SOUNDFONT, _HEAD)
    except PerpetuoError as error:
        raise AudioError(str(error)) from error
    if head[:4] != b"RIFF" or head[8:] != b"sfbk":
        raise AudioError(f"{path} is no SoundFont: name a file that ends in .sf2 or .sf3")
