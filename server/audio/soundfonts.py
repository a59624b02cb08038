"""SoundFonts by name: which there are on this machine, what each is good for, how to get more."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from common.errors import AudioError
from common.words import nearest

ENDINGS = (".sf2", ".sf3")
_FOLDERS = ("sounds/sf2", "sounds/sf3", "soundfonts")  # of a data folder
_DATA = "/usr/local/share:/usr/share"


class KnownSoundfont(NamedTuple):
    """A SoundFont that Debian has; `package` is empty for the one that comes along."""

    name: str
    package: str
    megabytes: int
    licence: str
    good_for: str


KNOWN = (
    KnownSoundfont("TimGM6mb", "", 6, "GPL-2", "comes along: small, soon in the page, plain"),
    KnownSoundfont(
        "FluidR3_GM", "fluid-soundfont-gm", 148, "MIT",
        "full and even: choirs, strings, winds and a warm piano; the first to try",
    ),
    KnownSoundfont(
        "MuseScore_General_Full", "musescore-general-soundfont", 86, "MIT, parts CC0",
        "a clear grand piano, strings that swell; for piano and quartet",
    ),
    KnownSoundfont(
        "MuseScore_General_Lite", "musescore-general-soundfont-small", 40, "MIT, parts CC0",
        "much the same in half the room; for the page over a good line",
    ),
    KnownSoundfont(
        "FluidR3Mono_GM", "fluidr3mono-gm-soundfont", 24, "MIT",
        "FluidR3 in mono: small and full; places still set parts apart",
    ),
    KnownSoundfont(
        "FluidR3_GS", "fluid-soundfont-gs", 3, "MIT",
        "variants and drum kits of Roland's GS only: most instruments are missing",
    ),
    KnownSoundfont(
        "sf_GMbank", "csound-soundfont", 4, "public domain", "smaller than the one that comes along"
    ),
    KnownSoundfont(
        "OPL-3_FM_128M", "opl3-soundfont", 135, "CC-BY-SA-4.0",
        "the chip of old sound cards: for games and fun",
    ),
)  # fmt: skip
_BY_NAME = {known.name.lower(): known for known in KNOWN}


def folders(environment: Mapping[str, str] = os.environ) -> list[Path]:
    """Where SoundFonts are looked for: one's own folders first, then those of the system."""
    home = environment.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    shared = environment.get("XDG_DATA_DIRS") or _DATA
    data = [home, *(part for part in shared.split(os.pathsep) if part)]
    return [Path(folder) / inside for folder in data for inside in _FOLDERS]


def found(places: list[Path] | None = None) -> dict[str, Path]:
    """The SoundFonts in these folders, or those of `folders`, by name; the first of a name."""
    paths: dict[str, Path] = {}
    for path in _files(folders() if places is None else places):
        paths.setdefault(path.stem, path)
    return paths


def _files(places: list[Path]) -> Iterator[Path]:
    for folder in places:
        try:
            names = sorted(os.listdir(folder))
        except OSError:  # it is not there, or somebody else's
            continue
        paths = (folder / name for name in names if name.lower().endswith(ENDINGS))
        yield from filter(Path.is_file, paths)  # a link may lead nowhere


def is_name(chosen: Path) -> bool:
    """Whether this is a name rather than a path: it has none of the endings, and is no file."""
    return chosen.suffix.lower() not in ENDINGS and not chosen.exists()


def named(name: str, places: list[Path] | None = None) -> Path | None:
    """The SoundFont of this name; None: the one that comes along. AudioError if there is none,
    with what to do."""
    here = {stem.lower(): path for stem, path in found(places).items()}
    wanted = name.lower()
    known = _BY_NAME.get(wanted)
    if known is not None and not known.package:
        return None
    if wanted in here:
        return here[wanted]
    if known is not None:
        raise AudioError(
            f"the SoundFont {known.name} is not installed: run apt-get install {known.package}"
        )
    raise AudioError(
        f"there is no SoundFont '{name[:40]}' ('perpetuo sounds' lists them):"
        f" {nearest(name, [*_BY_NAME, *here])}"
    )
