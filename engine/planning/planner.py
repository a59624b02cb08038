"""Composes the plan, bar by bar: key, chords, echo and the attributes.

A pure function of the statistics (`PlannerTable`), the state after the bar before, what the
controls ask and what the form asks, with the bar's own random numbers. So a rewind gives the same
plan again, and a change of controls changes nothing before it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from math import cos, exp, log, pi, sin, sqrt
from typing import NamedTuple

import numpy as np

from engine.music.fields import (
    ATTRIBUTES,
    ECHO_LOOSE,
    ECHO_NEAR,
    ECHO_NEW,
    ENDING_FAR,
    ENDING_LAST,
    NO_CHORD,
)
from engine.music.harmony import CHORD_SHIFT, key_parts
from engine.music.plan import BarPlan
from engine.planning.closes import of_close
from engine.planning.form_state import NO_CLOSE, FormBar
from engine.planning.modes import fitted
from engine.planning.planner_table import MAX_ECHO, Floats
from engine.planning.scene import Memory, PlannerState, Scene, bar_of

WANDERING = 0.7  # share of the bars' own variation that is planned: the network brings the rest
DRIFT_SECONDS = 300.0  # after which what lasted for minutes is mostly forgotten
RARE_CHORD = 0.005  # chords less likely than this, next to the likeliest, are not played
FREE_HALVES = 0.5  # share of the bars whose second half is left to the network
WANING = 1 / 256  # share by which the levels of a prompt go over into those of the styles, a bar
MAX_ECHO_RUN = 16  # bars in a row that the planner echoes of its own accord

_LEAVE, _KEY, _LEVEL, _SAME, _DISTANCE = range(5)
_CHORD, _WANDER, _DITHER, _FREE, _DRIFT = 5, 7, 13, 18, 19
_VARIETY = 4.0  # how strongly variety turns the odds of an echo
_NAMES = tuple(attribute.name for attribute in ATTRIBUTES)
# An echoed bar keeps this share of its source's level, so that chains of echoes still come home.
_INHERITED = 0.6


def plan_bar(scene: Scene, kept: Sequence[range] = ()) -> tuple[BarPlan, PlannerState]:
    """The plan of a bar and the planner's state after it.

    `kept` is what `form.kept_bars` said: besides the latest MAX_ECHO bars only those are
    remembered.
    """
    ground = _ground(scene)
    wander, drift = _wander(scene), _drift(scene)
    levels = dict(zip(_NAMES, _levels(scene, ground.model, wander, drift), strict=True))
    plan = BarPlan(
        ground.key,
        ground.chord,
        ground.half_chord,
        ground.echo,
        ground.source,
        **levels,
        ending=ground.ending,
    )
    if scene.overrides:
        plan = plan._replace(**scene.overrides)
    return plan, _after(scene, plan, ground.harmony, (wander, drift), kept)


def first_chord(scene: Scene) -> int:
    """The chord with which the plan of a bar begins, without the rest of it."""
    return _ground(scene).chord


class _Ground(NamedTuple):
    """What the notes of a bar stand on: the bar that it echoes, its key and chords. `model` is
    the plan of the bar that it echoes."""

    echo: int
    source: int
    model: BarPlan | None
    key: int
    ending: int
    chord: int
    half_chord: int  # that the network is told: 0 where it is left to it
    harmony: int  # that the next chord follows


def _ground(scene: Scene) -> _Ground:
    echo, source, model = _echo(scene)
    if scene.form.answer:
        model = None  # at another pitch it stands in another harmony
    key = scene.overrides.get("key") or _key(scene, model)
    # A return brings its harmony with it; of its own accord the planner echoes within one key.
    close = model is not None and echo >= ECHO_NEAR and model.key == key
    copied = model if scene.form.echo or close else None
    ending = scene.overrides.get("ending", scene.form.ending)
    chord, harmony = _chords(scene, key, ending, copied)
    half_chord = 0 if _is_free(scene, ending, copied) else harmony
    if model and echo > ECHO_LOOSE and (chord, half_chord) != (model.chord, model.half_chord):
        echo = ECHO_LOOSE  # other harmony: the notes cannot be the same
    if echo == ECHO_LOOSE and scene.nudge.literal and "echo" not in scene.overrides:
        echo, source, model = ECHO_NEW, -1, None  # it would be note for note like those before it
    return _Ground(echo, source, model, key, ending, chord, half_chord, harmony)


def _is_free(scene: Scene, ending: int, copied: BarPlan | None) -> bool:
    """Whether the network finds the second half's chord by itself. Told every one, it hangs its
    lines on chord tones; real ones go by step, and further from home. What is asked for and what
    closes is told; what comes back is as free as it was."""
    if scene.asked.progression or "half_chord" in scene.overrides or ending > ENDING_FAR:
        return False
    if _closes(scene.form, 1):
        return False
    if copied is not None:
        return not copied.half_chord
    return scene.draws[_FREE] < FREE_HALVES


def _after(
    scene: Scene,
    plan: BarPlan,
    harmony: int,
    deviations: tuple[tuple[float, ...], tuple[float, ...]],
    kept: Sequence[range],
) -> PlannerState:
    state, bar = scene.state, scene.bar
    memory = _within(state.memory, (*kept, range(bar + 1 - MAX_ECHO, bar)))
    echoes = plan.echo > ECHO_NEW and plan.source >= 0
    closed = plan.ending == ENDING_LAST
    return PlannerState(
        before=NO_CHORD if closed else plan.chord,
        last=NO_CHORD if closed else harmony,
        home=scene.asked.home,
        key=plan.key or scene.asked.home,
        echo=max(plan.echo, ECHO_NEW),
        distance=bar - plan.source if echoes else 0,
        run=state.run + 1 if echoes and not scene.form.echo else 0,
        wander=deviations[0],
        drift=deviations[1],
        memory=(*memory, (bar, plan)),
        lent=_waning(scene),
    )


def _within(memory: Memory, kept: Sequence[range]) -> Memory:
    """The part of a memory that lies in any of the ranges."""
    found: Memory = ()
    taken = 0
    for bars in sorted(kept, key=_start_of):
        first = max(taken, bisect_left(memory, bars.start, key=bar_of))
        taken = max(first, bisect_left(memory, bars.stop, key=bar_of))
        found += memory[first:taken]
    return found


def _echo(scene: Scene) -> tuple[int, int, BarPlan | None]:
    """Level, source and the source's plan; a source that is forgotten is none."""
    echo, source = _chosen_echo(scene)
    echo, source = scene.overrides.get("echo", echo), scene.overrides.get("source", source)
    model = scene.state.recall(source) if echo > ECHO_NEW else None
    return (echo, source, model) if model is not None else (ECHO_NEW, -1, None)


def _chosen_echo(scene: Scene) -> tuple[int, int]:
    """(level, source): what the form asks, else as the styles have it."""
    table, state, form, draws = scene.table, scene.state, scene.form, scene.draws
    if scene.nudge.fresh:
        return ECHO_NEW, -1
    if form.echo:
        return form.echo, form.source
    if _closes(form, 0):  # a close stands for itself
        return ECHO_NEW, -1
    first = max(form.floor, scene.bar - MAX_ECHO)
    first = max(first, state.memory[0][0]) if state.memory else scene.bar
    if first >= scene.bar or state.run >= MAX_ECHO_RUN:
        return ECHO_NEW, -1
    weights = scene.styles @ table.echo_levels[:, state.echo - ECHO_NEW, form.phrase]
    weights[1:] *= exp(_VARIETY * (0.5 - scene.asked.variety))
    level = ECHO_NEW + _pick(weights, draws[_LEVEL])
    if level == ECHO_NEW:
        return ECHO_NEW, -1
    goes_on = 0 < state.distance <= scene.bar - first
    if goes_on and draws[_SAME] < float(scene.styles @ table.echo_goes_on):
        stands = state.distance == 1 and state.run > 1
        return (ECHO_LOOSE if stands else level), scene.bar - state.distance
    distances = (scene.styles @ table.echo_distances)[: scene.bar - first]
    if not distances.any():
        return ECHO_NEW, -1
    return level, scene.bar - 1 - _pick(distances, draws[_DISTANCE])


def _key(scene: Scene, model: BarPlan | None) -> int:
    """The local key: the form's, that of the bar which the form brings back, or home with
    excursions."""
    table, asked, form, draws = scene.table, scene.asked, scene.form, scene.draws
    home, here = asked.home, scene.state.key
    if asked.progression or scene.state.home != home:
        return home
    if form.key:
        return form.key
    if form.ending > ENDING_FAR:
        return home
    if form.echo and model is not None and model.key:
        return model.key
    mode = int(asked.minor)
    if here != home:
        return home if draws[_LEAVE] < table.key_return[mode] else here
    moves = table.key_moves[mode].astype(np.float64)
    if draws[_LEAVE] >= table.key_leave[mode] or not moves.any():
        return home
    return _pick(moves, draws[_KEY])


def _chords(scene: Scene, key: int, ending: int, copied: BarPlan | None) -> tuple[int, int]:
    asked = scene.asked
    before, last = scene.state.before, scene.state.last
    for half, column in enumerate(("chord", "half_chord")):
        from_source = getattr(copied, column, 0) if _may_copy(scene, ending, half) else 0
        if column in scene.overrides:
            chord = scene.overrides[column]
        elif asked.progression:
            chord = asked.progression.chord(scene.bar, half)
        else:
            chord = from_source or _next_chord(scene, before, last, key, half, ending)
        before, last = last, chord
    return before, last


def _may_copy(scene: Scene, ending: int, half: int) -> bool:
    """Whether a bar that comes back may bring this chord: not into a close, unless the form brings
    back the close with it."""
    if ending == ENDING_LAST:
        return False
    form = scene.form
    return bool(form.echo) or not _closes(form, half)


def _closes(form: FormBar, half: int) -> bool:
    """Whether a half of a bar has a chord that its phrase closes with, or that leads there."""
    return form.close != NO_CLOSE and (form.left == 0 or (form.left == 1 and half == 1))


def _next_chord(scene: Scene, before: int, last: int, key: int, half: int, ending: int) -> int:
    """A chord drawn in the local key as if that were C major or A minor, moved back from there."""
    table, form = scene.table, scene.form
    tonic, minor = key_parts(key)
    shift = (tonic - 9 * minor) % 12
    to_normal, back = CHORD_SHIFT[-shift % 12], CHORD_SHIFT[shift]
    closing = ending == ENDING_LAST  # what came before no longer matters
    context = (0, 0) if closing else (int(to_normal[before]), int(to_normal[last]))
    weights = table.chord_weights(scene.asked.styles, *context, minor, half)
    if ending > ENDING_FAR:
        weights *= table.ending_tilt[int(minor), ending, half]
    else:
        weights *= table.phrase_tilt[int(minor), form.phrase, half]
    if closing:
        weights *= weights  # a close that is only likely is none
    if _closes(form, half):
        weights = of_close(weights, form.close, form.left, half, minor)
    if scene.asked.scale:
        weights = _in_scale(weights, scene.asked.scale, shift)
    weights[weights < RARE_CHORD * weights.max()] = 0
    return int(back[_pick(weights, scene.draws[_CHORD + half])])


def _in_scale(weights: Floats, scale: tuple[bool, ...], shift: int) -> Floats:
    """The weights with each chord's given to the one that the scale has on its root."""
    at_home = tuple(scale[(tone + shift) % 12] for tone in range(12))
    kept = np.bincount(fitted(at_home), weights, minlength=len(weights)).astype(np.float64)
    kept[0] = 0
    return kept if kept.any() else weights


def _wander(scene: Scene) -> tuple[float, ...]:
    """The deviations after one more bar: correlated in time and with each other, of unit spread."""
    steps = _steps(scene, _WANDER)
    persistence = (scene.styles @ scene.table.persistence).tolist()
    return _gone_on(scene.state.wander, steps, persistence)


def _drift(scene: Scene) -> tuple[float, ...]:
    """What lasts for minutes, as if the next piece of the style were coming slowly."""
    persistence = exp(-scene.asked.bar_seconds / DRIFT_SECONDS)
    return _gone_on(scene.state.drift, _steps(scene, _DRIFT), [persistence] * len(ATTRIBUTES))


def _steps(scene: Scene, first: int) -> list[float]:
    """Standard normal numbers that are correlated as the attributes are."""
    normals = _normals(scene.draws[first : first + 6])[: len(ATTRIBUTES)]
    found: list[float] = (scene.table.mixing @ np.array(normals)).tolist()
    return found


def _gone_on(
    before: tuple[float, ...], steps: list[float], persistence: list[float]
) -> tuple[float, ...]:
    """Deviations of unit spread after one more bar, or the first ones."""
    if not before:
        return tuple(steps)
    return tuple(
        rho * old + sqrt(1 - rho * rho) * step
        for rho, old, step in zip(persistence, before, steps, strict=True)
    )


def _means(scene: Scene) -> list[float]:
    """Where the attributes live: as in the styles, or as a prompt had them."""
    means: list[float] = (scene.styles @ scene.table.means).tolist()
    if not scene.state.lent:
        return means
    return [lent or mean for lent, mean in zip(scene.state.lent, means, strict=True)]


def _waning(scene: Scene) -> tuple[float, ...]:
    """The levels of a prompt after one more bar."""
    if not scene.state.lent:
        return ()
    means = (scene.styles @ scene.table.means).tolist()
    return tuple(
        lent and mean + (1 - WANING) * (lent - mean)
        for lent, mean in zip(scene.state.lent, means, strict=True)
    )


def _levels(
    scene: Scene, model: BarPlan | None, wander: tuple[float, ...], drift: tuple[float, ...]
) -> list[int]:
    """The attributes' buckets. Dithered, so that their mean over bars is what was asked."""
    table, offsets = scene.table, scene.form.offsets
    means = _means(scene)
    spreads = (scene.styles @ table.spreads).tolist()
    between = (scene.styles @ table.between).tolist()
    levels = []
    for i, attribute in enumerate(ATTRIBUTES):
        top = attribute.buckets
        position, pull = scene.asked.positions[i], scene.nudge.offsets[i]
        deviation = WANDERING * spreads[i] * wander[i] + between[i] * drift[i] + offsets[i]
        if position is None:
            level = means[i] + deviation
            inherited = getattr(model, attribute.name, 0)
            if inherited:
                level += _INHERITED * (inherited + 0.5 * offsets[i] - level)
                pull *= 1 - _INHERITED  # the source was pulled already
        else:
            # Cut evenly on both sides, or the mean would leave what was asked.
            room = min(position - 1, top - position)
            level = position + min(room, max(-room, scene.asked.breath * deviation))
        free = attribute.name == "register" and position is None
        low, high = scene.asked.register_room if free else (1.0, float(top))
        level = min(high, max(low, level + pull))
        levels.append(min(top, int(level + scene.draws[_DITHER + i])))
    return levels


def _normals(uniforms: Sequence[float]) -> list[float]:
    """Standard normal numbers from as many uniform ones (Box–Muller)."""
    found = []
    for i in range(0, len(uniforms) - 1, 2):
        radius = sqrt(-2 * log(1 - uniforms[i]))
        angle = 2 * pi * uniforms[i + 1]
        found += [radius * cos(angle), radius * sin(angle)]
    return found


def _pick(weights: Floats, draw: float) -> int:
    """The index on which a draw in [0, 1) falls."""
    heights = weights.cumsum()
    at = int(heights.searchsorted(draw * heights[-1], side="right"))
    return min(at, len(weights) - 1)


def _start_of(bars: range) -> int:
    return bars.start
