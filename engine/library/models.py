"""Which models are at hand, and which one a name means."""

from __future__ import annotations

import difflib
from pathlib import Path

from common.errors import BundleError
from common.files import FileKind, read_bytes

EMBEDDED = Path(__file__).parents[1] / "bundles"
SUFFIX = ".onnx"
# As `sha256sum *.onnx` writes it in that folder, once more whenever a model there is replaced.
CHECKSUMS = "SHA256SUMS"
_CHECKSUMS = FileKind("the list of checksums", 1 << 16)


def embedded_models() -> list[Path]:
    return sorted(EMBEDDED.glob(f"*{SUFFIX}"))


def known_digest(path: Path) -> str | None:
    """The SHA-256 that an embedded model must have; None for another file."""
    file = path.resolve()
    folder = file.parent
    if folder != EMBEDDED.resolve() or not (folder / CHECKSUMS).is_file():
        return None
    lines = read_bytes(folder / CHECKSUMS, _CHECKSUMS).decode("utf-8", "replace").splitlines()
    rows = (line.split(maxsplit=1) for line in lines)
    digests = {row[1].strip(" *"): row[0] for row in rows if len(row) == 2}
    return digests.get(file.name)


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
