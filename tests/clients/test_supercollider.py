"""The SuperCollider client, run by Debian's sclang and scsynth over JACK's dummy driver."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import pytest

from tests.clients.hosts import BEATS, CLIENTS, agree, free_port, patient, program, run
from tests.server.jack import JackServer, jack_server
from tests.server.served import serving

__all__ = ["jack_server"]

pytestmark = pytest.mark.in_time

EAR = Path(__file__).parent / "ear.scd"
QUARTER = 0.2  # seconds, at 300


@pytest.mark.alone
def test_it_plays_what_is_composed_on_time_and_steers(
    jack_server: JackServer, tmp_path: Path
) -> None:
    sclang = program("sclang", "supercollider-language")
    program("scsynth", "supercollider-server")
    with serving(*patient(tmp_path)) as served:
        said = run(
            sclang,
            EAR,
            HOME=tmp_path,
            PERPETUO_PORT=served.osc,
            SCSYNTH_PORT=free_port(),
            PERPETUO_CLIENT=CLIENTS / "supercollider" / "perpetuo.scd",
            QT_QPA_PLATFORM="offscreen",
            QTWEBENGINE_DISABLE_SANDBOX=1,
        )
        assert served.metric("perpetuo_bars_late_total") == 0
        assert served.metric("perpetuo_dispatch_missed_notes_total") == 0
        assert served.end() == 0
    said = said[: said.index("EAR left")]
    assert not [line for line in said if "ERROR" in line or "FAILURE" in line]
    ear = [line.split()[1:] for line in said if line.startswith("EAR ")]
    order = [words[0] for words in ear if words[0] != "note"]
    assert order == ["error", "heard", "silent"]

    heard, times = defaultdict(list), []
    before = ear[: ear.index(["silent"])]
    for words in before:
        if words[0] == "note":
            time, part, pitch, velocity, _, beat = map(float, words[1:])
            heard[int(beat // BEATS)].append((int(part), int(pitch), int(velocity)))
            times.append((beat, time))
    assert {part for notes in heard.values() for part, _, _ in notes} == {1, 8}
    agree(heard, tmp_path)
    # The times of their bundles are those of the music.
    for (beat, time), (next_beat, next_time) in pairwise(times):
        assert next_time - time == pytest.approx((next_beat - beat) * QUARTER, abs=0.005)
