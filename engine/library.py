"""Which models are at hand, and which one a name means."""

from __future__ import annotations

import difflib
from pathlib import Path

from engine.errors import BundleError

EMBEDDED = Path(__file__).parent / "bundles"
SUFFIX = ".onnx"


def embedded_models() -> list[Path]:
    return sorted(EMBEDDED.glob(f"*{SUFFIX}"))


def models_in(folder: Path) -> list[Path]:
    """The model files of a folder, by name; BundleError if there is none."""
    if not folder.is_dir():
        raise BundleError(f"{folder} is not a folder: name one that holds {SUFFIX} files")
    found = sorted(path for path in folder.glob(f"*{SUFFIX}") if path.is_file())
    if not found:
        raise BundleError(f"there is no {SUFFIX} file in {folder}: name a folder that has some")
    return found


def model_file(model: str | Path) -> Path:
    """The file that a path or the name of an embedded model stands for."""
    path = Path(model)
    if path.suffix == SUFFIX or path.exists():
        return path
    embedded = {path.stem: path for path in embedded_models()}
    if str(model) in embedded:
        return embedded[str(model)]
    near = difflib.get_close_matches(str(model), embedded, 1)
    advice = f"did you mean {near[0]}?" if near else "'perpetuo models' lists those at hand"
    raise BundleError(f"there is no model '{model}', neither a file nor embedded: {advice}")
