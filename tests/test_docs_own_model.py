"""docs/own-model.md works as it stands, on a little music: a new model is heard in the end."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from perpetuo_client import sync

from engine.files.midi import write
from tests.doc_steps import do, steps
from tests.server.served import serving
from tests.tunes import tune


def heard(page: str) -> int:
    """How many notes the next bars of the first station have."""
    with sync.connect(page.replace("http", "ws")) as server:
        return sum(len(bar.notes) for bar, _ in zip(server.listen(), range(4), strict=False))


def test_from_a_folder_of_music_to_the_page(tmp_path: Path) -> None:
    for i in range(24):
        folder = tmp_path / "music" / ("waltz" if i % 2 else "tango")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{i:02}.mid").write_bytes(write(tune(i, 80)))
    said = ""
    for kind, script in steps("own-model.md"):
        if kind == "run":
            said += do(script, tmp_path)
            continue
        assert kind == "serve"
        assert "CC0 1.0" in said  # the card that was written is shown
        assert (tmp_path / "first.mid").is_file()
        program, verb, *words = shlex.split(script)
        assert (program, verb) == ("perpetuo", "serve")
        words = [str(tmp_path / word) if word.endswith(".onnx") else word for word in words]
        quiet = tmp_path / "quiet.toml"
        quiet.write_text("[midi]\nenabled = false\n[osc]\nport = 0\n")
        with serving(quiet, *words, "--port", 0, "--state", tmp_path / "state") as served:
            assert json.loads(served.get("api/stations/study"))["styles"] == ["tango", "waltz"]
            assert heard(served.page) > 0
            assert served.end() == 0
        return
    raise AssertionError("the page has no server")
