"""The Pure Data client, run by Debian's pd without window and without sound card."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from engine.controls.table import CONTROLS
from tests.clients.hosts import BEATS, CLIENTS, agree, patient, program, run
from tests.server.served import serving

PATCHES = CLIENTS / "puredata"
EAR = Path(__file__).parent / "ear.pd"


def test_it_plays_what_is_composed_and_its_sliders_steer(tmp_path: Path) -> None:
    pd = program("pd", "puredata-core")
    with serving(*patient(tmp_path)) as served:
        said = run(
            *(pd, "-nogui", "-stderr", "-noaudio", "-noprefs"),
            *("-open", PATCHES / "perpetuo.pd", "-open", EAR),
            *("-send", f"perpetuo-port {served.osc}", "-send", "perpetuo-station test"),
        )
        controls = served.station()["controls"]
        assert served.metric("perpetuo_bars_late_total") == 0
        assert served.metric("perpetuo_dispatch_missed_notes_total") == 0
        assert served.end() == 0
    assert isinstance(controls, dict)
    assert controls["density"] == 8
    told = [line.partition(": ")[::2] for line in said]
    # Everything was understood on both sides, but for what the ear asks on purpose.
    assert [text.split()[0] for name, text in told if name == "perpetuo"] == [
        "/perpetuo/test/tempo"
    ]
    assert "error" not in {name for name, _ in told}
    assert not [line for line in said if "create" in line]  # an object that Pd does not know
    assert ("news", "density 4") in told  # which sets the slider
    assert ("postponed", "key 43") in told
    assert ("unsaved", "key") in told
    assert [name for name, _ in told if name in ("heard", "loud", "silent")] == [
        "loud",
        "heard",
        "silent",
    ]
    heard = defaultdict(list)
    for name, text in told:
        if name == "note":
            part, pitch, velocity, _, beat = map(float, text.split())
            heard[int(beat // BEATS)].append((int(part), int(pitch), int(velocity)))
    assert {part for notes in heard.values() for part, _, _ in notes} == {1, 8}
    agree(heard, tmp_path)


def test_its_sliders_have_the_ranges_of_the_controls() -> None:
    patch = (PATCHES / "perpetuo.pd").read_text("utf-8")
    found = re.findall(r" hsl \d+ \d+ (\S+) (\S+) 0 0 perpetuo-(\w+) perpetuo-\3-set \3 ", patch)
    sliders = {name: (float(low), float(high)) for low, high, name in found}
    assert sliders.pop("volume") == (0, 1)  # its own
    ranges = {control.name: (control.low, control.high) for control in CONTROLS}
    assert len(sliders) == 10
    assert sliders == {name: ranges[name] for name in sliders}
    for name in sliders:
        assert f" perpetuo-slider {name};" in patch
