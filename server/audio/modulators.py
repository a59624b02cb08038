"""What FluidSynth does with controllers beyond the SoundFont standard, in which 73 does nothing and
91 adds a fifth of reverb at most."""

from __future__ import annotations

import ctypes
from types import ModuleType
from typing import Any, NamedTuple

from engine.music.controllers import ATTACK, REVERB

# FluidSynth's numbers: curves of a controller, what is changed, and how one joins the standard's.
_CONTROLLER, _BIPOLAR, _CONVEX = 16, 2, 8
_REVERB_SEND, _ATTACK_TIME = 16, 34
_OVERWRITE = 0


class Modulator(NamedTuple):
    """`amount` is what the controller adds at its end: timecents, or thousandths."""

    controller: int
    curve: int
    generator: int
    amount: float

    def add_to(self, library: ModuleType, synth: Any) -> None:
        """In place of the standard's for the same, which has the same curve."""
        fluid = library._fl
        fluid.new_fluid_mod.restype = ctypes.c_void_p
        made = ctypes.c_void_p(fluid.new_fluid_mod())
        fluid.fluid_mod_set_source1(made, self.controller, self.curve)
        fluid.fluid_mod_set_source2(made, 0, 0)
        fluid.fluid_mod_set_dest(made, self.generator)
        fluid.fluid_mod_set_amount(made, ctypes.c_double(self.amount))
        fluid.fluid_synth_add_default_mod(ctypes.c_void_p(synth), made, _OVERWRITE)
        fluid.delete_fluid_mod(made)


MODULATORS = (
    Modulator(REVERB, _CONTROLLER, _REVERB_SEND, 1000),
    # Up to 32 times as long, on the curve that other synthesizers have too, that of the page.
    Modulator(ATTACK, _CONTROLLER | _BIPOLAR | _CONVEX, _ATTACK_TIME, 6000),
)
