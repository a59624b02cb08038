"""A model from its file. Imports onnxruntime; whoever only asks for names does without."""

from __future__ import annotations

from pathlib import Path

from common.files import MODEL, read_bytes
from engine.library.models import known_digest
from engine.network.runtime import Network


def load_network(path: Path, device: str = "cpu", threads: int = 1) -> Network:
    """The network of a model file; an embedded one must be as it was laid down."""
    return Network(read_bytes(path, MODEL), str(path), device, threads, known_digest(path))
