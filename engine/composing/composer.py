"""One endless stream of bars.

A composer draws notes until the next onset falls past the bar line; then the bar is done. At each
bar line it keeps all it would need to begin there again. A control changed at any moment rewinds
the stream to the first bar that is not committed, which is then composed anew under the new
controls: lookahead may be deep and what is turned is heard at the next bar line all the same.

Whoever drives it either calls `compose_bar`, or, for many composers over one pool, repeats
`prepare`, `Pool.run`, `absorb` (see `engine.ensemble.ensemble`).
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from common.errors import PlanError
from engine.composing.arrival import HELD_OFTEN, Arrival, bass_below, hold_of
from engine.composing.articulation import articulated
from engine.composing.closing import closed, led_to
from engine.composing.counterpoint import NOWHERE, Counterpoint, Lines, Standing
from engine.composing.finishing import heard_values, sounding, summary_of
from engine.composing.imitation import answered
from engine.composing.paired_bias import PairedBias
from engine.composing.percussion import DRAWN_APART, Percussion
from engine.composing.performing import performed
from engine.composing.planning_ahead import (
    PlanAhead,
    PlanConditions,
    PlannedStep,
    numbered,
    until,
)
from engine.composing.primer import NOTHING, Primer
from engine.composing.setting import Setting, setting_of
from engine.composing.step_context import (
    NOTHING_HEARD,
    HeardBar,
    StepContext,
    recalled,
    remember,
)
from engine.composing.tempo_drift import TempoDrift
from engine.controls.controls import Controls
from engine.controls.values import Json
from engine.files.control_log import LoggedChange
from engine.music.bars import Bar, Pedal, moved
from engine.music.fields import ECHO_NEW
from engine.music.heard_chords import Harmony, heard_chords
from engine.music.noise import ENSEMBLE, RESTS, gumbel_block, uniforms
from engine.music.score import Note
from engine.music.time import duration
from engine.network.row_lease import RowLease
from engine.network.runtime import Checkpoint, Network, Pool
from engine.performing.pedal import is_pressed, pedals_of
from engine.performing.played_bar import PlayedBar
from engine.performing.rendering import rendered
from engine.performing.rubato import pace
from engine.planning.correction import NO_TRIMS, UPRIGHT, Trims, corrected, leaning, told
from engine.planning.form import RESTING, FormState, heard_before, kept_bars
from engine.planning.guards import GuardState, nudge, observe, report, retuned
from engine.planning.part_patience import FRESH, Patience, after_bar, overdue, urge
from engine.planning.planner_table import MAX_ECHO
from engine.planning.scene import PlannerState
from engine.representations.codec import Cursor
from engine.representations.limits import APART

STRAINED = 3.0  # buckets of lean at which nothing may rub
NOISE_STEPS = 16  # steps whose noise is drawn at once

PlanOverrides = Mapping[int, Mapping[str, int]]  # plan columns set by bar


class BarLine(NamedTuple):
    """Everything that composing from a bar line on depends on, besides the controls."""

    bar: int
    start: int
    cursor: Cursor
    event: tuple[int, ...]  # the last one drawn
    mark: Checkpoint
    form: FormState
    planner: PlannerState
    guards: GuardState
    anchor: int  # bar from which the present progression counts
    chords: tuple[tuple[int, ...], float] | None  # the progression that was anchored
    silent_from: int  # tick at which the last note ended
    transposition: int  # of the bar before
    lines: Standing  # of the parts
    trims: Trims = NO_TRIMS
    # See `leap`: ticks by which bars are told to begin later than composed, and the number that
    # this one had before it was leapt to, under which it is planned; -1: it is none.
    told: int = 0
    meant: int = -1
    patience: Patience = FRESH
    harmony: Harmony = Harmony()


class Composer:
    """One stream, on one row of a pool while it computes."""

    def __init__(
        self,
        network: Network,
        pool: Pool,
        seed: int,
        stream: int = 0,
        controls: Controls | None = None,
        primer: Primer | None = None,
        apart: int = 0,
    ) -> None:
        """Take a row of the pool. With a primer the stream goes on from its music: its bars come
        first, and the first one composed has their number as its index. `apart` is added to the
        stream's number where notes are drawn, not where they are planned."""
        self.network, self.pool = network, pool
        self.spec = network.specification
        self.codec = self.spec.open_codec()
        self.names = tuple(name for name, _ in self.spec.context)
        self.table = network.planner_table
        self.seed, self.stream, self._drawn_as = seed, stream, stream + apart
        self.plan_ahead = PlanAhead(self.table, seed, stream)
        self.tempo_drift = TempoDrift(seed, stream)
        self.controls = controls or Controls()
        self._ensemble_draw = float(uniforms(seed, stream, ENSEMBLE, 0, 1)[0])
        self.setting = self._setting_of(self.controls)
        self.lease = RowLease(pool)
        self.percussion = Percussion(self.lease, self._percussionist)
        self.overrides: dict[int, dict[str, int]] = {}
        self.revisions: dict[int, int] = {}
        self.heard: dict[int, HeardBar[int]] = {}
        self.lines: list[BarLine] = [self._first_line(primer or NOTHING)]
        self.committed = self.lines[0].bar
        self._noise = np.zeros((NOISE_STEPS, self.spec.event_width), np.float32)
        self._noise_block = -1
        self._context: StepContext | None = None
        self._paired: PairedBias | None = None  # with the context
        self._planned: PlannedStep  # with the context
        self._retune = False  # the guards find their references anew at the next bar line
        self.last: int | None = None  # the bar with which a piece closes, None: it is endless
        self._begin()

    def _first_line(self, primer: Primer) -> BarLine:
        event = (0,) * len(self.spec.event)
        if primer.events:
            self.pool.mix[self.row] = self.setting.mix
            self.pool.prefill(self.row, primer.inputs, primer.ticks)
            event = primer.events
        self.heard.update(primer.heard)
        return BarLine(
            primer.bars,
            primer.end,
            self.codec.cursor(primer.end),
            event,
            self.lease.mark(),
            heard_before(primer.bars) if primer.bars else FormState(),
            primer.planner,
            GuardState(),
            primer.bars,
            None,
            primer.end,
            self.setting.limits.transposition,
            NOWHERE,
        )

    def _percussionist(self, bar: int, tick: int, controls: Controls) -> Composer:
        """A composer of drums from a bar on."""
        primer = Primer(bars=bar, end=tick)
        row = self.network, self.pool, self.seed, self.stream
        composer = Composer(*row, controls, primer, apart=DRAWN_APART)
        composer.last = self.last
        return composer

    def _setting_of(self, controls: Controls) -> Setting:
        return setting_of(controls, self.spec, self.table, self._ensemble_draw)

    @property
    def row(self) -> int:
        """The row of the pool that it computes on."""
        if self.percussion.is_drawing:
            return self.percussion.row
        assert not self.lease.is_aside, "only who sits has a row"
        return self.lease.row

    # -- what is asked from outside --------------------------------------------------------------

    @property
    def next_bar(self) -> int:
        """Index of the bar under way: all before it are composed."""
        return self.lines[-1].bar

    @property
    def length(self) -> int:
        """Microseconds of the bar under way."""
        return self.length_of(self.next_bar)

    def length_of(self, bar: int) -> int:
        """Microseconds of a bar that is composed under the setting of the one under way."""
        return duration(self._in_force.metre.ticks, self._quarter(bar))

    def _quarter(self, bar: int) -> int:
        """Microseconds a quarter of a bar, as its tempo drifts and, if it is under way, the player
        goes."""
        setting = self._in_force
        drifted = self.tempo_drift.drifted(
            setting.microseconds_per_quarter, setting.controls.tempo_drift, bar
        )
        return round(drifted * self._pace) if bar == self.next_bar else drifted

    @property
    def first_open(self) -> int:
        """The first bar that a change can still reach."""
        for line in self.lines:
            if line.bar >= self.committed and self._can_rewind(line):
                return line.bar
        return self.next_bar + 1

    def _can_rewind(self, line: BarLine) -> bool:
        return self.lease.can_rewind(line.mark) and self.percussion.can_rewind(line.bar)

    @property
    def guard_report(self) -> dict[str, int | float]:
        """What the guards did up to the last bar line; see `engine.planning.guards.report`."""
        return report(self.lines[-1].guards)

    def commit(self, bar: int) -> None:
        """Bars before `bar` sound or are about to: they will not be composed again."""
        self.committed = max(self.committed, min(bar, self.next_bar))
        while self.lines[0].bar < self.committed:
            del self.lines[0]
        for old in [b for b in self.revisions if b < self.committed]:
            del self.revisions[old]
        meant = self.lines[0].meant
        for old in [
            b for b in self.overrides if b < self.committed and b not in (meant, meant + 1)
        ]:
            del self.overrides[old]
        self.percussion.commit(self.committed)

    def change(
        self, controls: Mapping[str, Json] | None = None, plan: PlanOverrides | None = None
    ) -> int:
        """Change controls, or set columns of the plan by hand; returns the first bar that is
        composed under the change. ControlError or PlanError, and nothing changed, if it is bad."""
        changed = self.controls.with_values(controls or {})
        setting = self._setting_of(changed)
        first = self.first_open
        for bar, columns in (plan or {}).items():
            if bar < first:
                raise PlanError(
                    f"bar {bar} cannot be planned any more: the first that is open is {first}"
                )
            setting.asked(0, tuple(columns.items()))
        self.controls, self.setting = changed, setting
        for bar, columns in (plan or {}).items():
            self.overrides[bar] = {**self.overrides.get(bar, {}), **columns}
        if first <= self.next_bar:
            self.rewind(first)
            self.retune()
        self._retune = first > self.next_bar
        return first

    def retune(self) -> None:
        """What was normal before the bar under way says nothing of what is asked now."""
        self.lines[-1] = self.lines[-1]._replace(guards=retuned(self.lines[-1].guards))
        self.percussion.retune(self.next_bar)

    def set_out(self, controls: Controls) -> None:
        """Go on under other controls from the bar under way, of which nothing is composed yet."""
        self.controls, self.setting = controls, self._setting_of(controls)
        self._begin()

    def make(self, change: LoggedChange) -> None:
        """Make a change of a log at its bar."""
        if change.to is None:
            self.change(change.set, change.plan)
        else:
            self.leap(change.to, change.tick)

    def leap(self, bar: int, tick: int) -> None:
        """Number the bar under way `bar`, and tell that it begins at `tick`: others were heard in
        the places between. It is composed as it was meant, and nothing drawn is lost; what came
        before it cannot be changed any more."""
        assert bar >= self.next_bar, "numbers only rise"
        line = self.lines[-1]
        meant = line.bar if line.meant < 0 else line.meant
        self.percussion.leap(line.bar, bar)
        self.lines = [line._replace(bar=bar, told=tick - line.start, meant=meant)]
        if self._context is not None:
            self._planned = numbered(self._planned, bar)
        self.commit(bar)

    def close_with(self, bar: int) -> None:
        """Have the piece close with this bar, which is not composed yet; what comes after it, if
        anything does, begins anew."""
        assert bar >= self.next_bar, "a bar that is composed cannot close"
        self.last = bar
        self.percussion.close_with(bar)
        self.rewind(self.next_bar)

    def rewind(self, bar: int) -> None:
        """Forget everything from the bar line before `bar` on and begin there again."""
        while self.lines[-1].bar > bar:
            dropped = self.lines.pop().bar
            self.heard.pop(dropped - 1, None)
        line = self.lines[-1]
        assert line.bar == bar, "the bar line was not kept"
        self.percussion.rewind(bar)
        self.lease.rewind(line.mark)
        self._begin()

    def begin_at(self, line: BarLine) -> None:
        """Go on from this bar line; the row's state must be the one that belongs to it."""
        self.lines = [line]
        self.committed = line.bar
        self._begin()

    def close(self) -> None:
        """Give the row back."""
        self.lease.close()
        self.percussion.close()

    @property
    def is_aside(self) -> bool:
        """Whether it has no row, and only waits."""
        return self.lease.is_aside and not self.percussion.is_drawing

    # -- composing -------------------------------------------------------------------------------

    def compose_bar(self) -> Bar:
        """The next bar, alone on the pool's thread."""
        bar = self.finished()
        while bar is None:
            self.prepare()
            self.pool.run([self.row])
            bar = self.absorb()
        return bar

    @property
    def is_under_way(self) -> bool:
        """Whether a note of the present bar is to be drawn next: `finished` would give None."""
        return self._context is not None

    @property
    def has_room(self) -> bool:
        """Whether one more step leaves the first uncommitted bar within reach of a rewind.

        A single bar longer than the ring allows is composed all the same.
        """
        if len(self.lines) == 1:
            return True
        room = self.lease.step + 1 - self.lines[0].mark.step <= self.pool.margin
        return room and self.percussion.has_room

    def _begin(self) -> None:
        """Set out on the bar after the last bar line."""
        line, setting = self.lines[-1], self.setting
        self._in_force = setting  # of this bar: a change may come that only reaches the next
        self._cursor = line.cursor.copy()
        self._lines = Lines.resume(line.lines)
        self._event = list(line.event)
        self._start, self._end = line.start, line.start + setting.metre.ticks
        self._notes: list[Note] = self._cursor.enter_bar(line.start, self._end)
        self._told: HeardBar[int] = array("i")
        self._overdue: set[int] = set()  # parts that are leaned to until they are heard
        self._surprise, self._drawn = 0.0, 0
        self._pace = self._pace_from(line)
        self._context = None  # worked out when the first note is drawn or the bar is done

    def _pace_from(self, line: BarLine) -> float:
        """How many times as long as in an even tempo the bar under way lasts."""
        expression = self._in_force.controls.expression
        if not expression:
            return 1.0
        bar = line.bar if line.meant < 0 else line.meant
        settings = until(self.last, bar, self._in_force.form)
        form = self.plan_ahead.form_of(bar, line.form, settings)
        return pace(form.phrase, form.ending, expression, (self.seed, self.stream, bar))

    def _plan(self) -> None:
        """Plan the bar under way and write everything that holds for all of it."""
        line, setting = self.lines[-1], self._in_force
        bar = line.bar if line.meant < 0 else line.meant
        anchor = line.anchor if setting.progression == line.chords else bar
        more = told(line.trims, setting.positions)
        self._conditions = PlanConditions(
            setting, anchor, nudge(line.guards).and_more(more), self.last
        )
        self._planned, next_chord = self.plan_ahead.plan(
            bar, line.form, line.planner, self._conditions, self.overrides
        )
        if bar != line.bar:
            self._planned = numbered(self._planned, line.bar)
        plan, section = self._planned.plan, self._planned.section
        source = self.heard.get(plan.source, NOTHING_HEARD)
        answers = section.answer > 0 and plan.source == section.source
        if answers:
            parts_on = setting.limits.parts_on
            source = answered(self.heard, section.subject, plan.source, section.answer, parts_on)
            plan = plan if source else plan._replace(echo=ECHO_NEW)
        self._context = StepContext(
            self.names,
            setting.metre,
            section.phrase,
            plan,
            next_chord,
            source,
            until_played=answers,
        )
        pool, row = self.pool, self.row
        lean = leaning(
            line.trims, setting.positions, setting.attributes, self._conditions.nudge.worn
        )
        self._limits = setting.limits
        if self.last is not None and bar <= self.last:
            self._limits = led_to(
                setting.limits,
                setting.controls.key,
                line.start,
                setting.metre.ticks,
                self.last - bar,
            )
        elif self._comes_to_rest(bar):
            first = line.start + self._planned.section.left * setting.metre.ticks
            self._limits = replace(self._limits, hold=(first, first + hold_of(setting.metre)))
        if lean != UPRIGHT:
            tilted = self._limits.pitch_bias + lean.tilt
            self._limits = replace(
                self._limits,
                pitch_bias=tilted,
                lean=self.codec.leaning(lean),
                apart=max(self._limits.apart, APART * min(1.0, lean.strain / STRAINED)),
            )
        self.codec.write_bias(pool.bias[row], self._limits)
        pool.paired[row] = 0
        self._paired = self._paired_bias() if pool.paired.size else None
        self._overdue = overdue(line.patience) if setting.controls.parts else set()
        pool.mix[row] = setting.mix
        pool.sharpness[row] = 1 / (setting.temperature * self._conditions.nudge.temperature)
        with np.errstate(divide="ignore"):
            pool.cut[row] = np.log(np.minimum(setting.min_p * self._conditions.nudge.min_p, 0.9))

    def _comes_to_rest(self, bar: int) -> bool:
        """Whether the phrase that closes in this bar or the next is held there."""
        section = self._planned.section
        if not section.close or section.left > 1 or self._in_force.controls.form not in RESTING:
            return False
        draw = uniforms(self.seed, self.stream, RESTS, bar + section.left, 1)[0]
        return bool(draw < HELD_OFTEN)

    def _paired_bias(self) -> PairedBias | None:
        """What parts owe each other and the close of a phrase owes its chord; None: nothing."""
        setting, section = self._in_force, self._planned.section
        strength, parts_on = setting.controls.counterpoint, self._limits.parts_on
        arrival = None
        if section.close and section.left < 2:
            before = recalled(self.heard.get(self.lines[-1].bar - 1, NOTHING_HEARD))
            arrival = Arrival(section.left, setting.metre.half, bass_below(before))
        counterpoint = Counterpoint(self._lines, strength, parts_on) if strength else None
        paired = PairedBias(self._lines, self._start, counterpoint, arrival)
        return None if paired.is_idle else paired

    def prepare(self) -> None:
        """Fill this stream's row for one step. Only if `finished()` gave None."""
        if self.percussion.is_drawing:
            self.percussion.prepare()
            return
        step_context = self._context
        assert step_context is not None
        pool, row, cursor = self.pool, self.row, self._cursor
        cursor.constrain(pool.bias[row], self._limits)
        if self._overdue:
            weight = urge((cursor.tick - self._start) / (self._end - self._start))
            self.codec.lean_to(pool.bias[row], self._overdue, weight)
        context = step_context.at(
            cursor.tick - self._start, cursor.rank, self._drawn, cursor.voices
        )
        if self._paired is not None:
            chord = step_context.chord_at_tick(cursor.tick - self._start)
            self._paired.write(pool.paired[row], cursor.tick, chord)
        pool.inputs[row, 0] = self._event + context
        pool.ticks[row] = cursor.tick
        pool.noise[row] = self._noise_of(int(pool.steps[row, 0]))

    def _noise_of(self, step: int) -> NDArray[np.float32]:
        block, place = divmod(step, NOISE_STEPS)
        if block != self._noise_block:
            self._noise_block = block
            width = self.spec.event_width
            self._noise = gumbel_block(self.seed, self._drawn_as, block, NOISE_STEPS, width)
        noise: NDArray[np.float32] = self._noise[place]
        return noise

    def absorb(self) -> Bar | None:
        """Take what the step drew; the bar, if that completed it."""
        if self.percussion.is_drawing:
            self.percussion.absorb()
            return self.finished()
        context = self._context
        assert context is not None
        event: list[int] = self.pool.event[self.row].tolist()
        self._surprise -= sum(self.pool.likelihood[self.row].tolist())
        self._drawn += 1
        cursor = self._cursor
        tick, rank = cursor.tick, cursor.rank
        note = cursor.accept(event, self._limits)
        self._event = event
        if note is not None:
            self._notes.append(note)
            self._lines.strike(note)
            if note.part in self._overdue:
                self._overdue.remove(note.part)
                self.codec.lean_to(self.pool.bias[self.row], (note.part,), 0.0)
            values = self.codec.echoed(event)
            if values is not None:
                remember(self._told, tick - self._start, rank, values)
                context.take(tick - self._start, values[0])
        return self.finished()

    def finished(self) -> Bar | None:
        """The bar under way, if nothing more can begin in it; composing then stands at the next."""
        if self._context is None:
            self._plan()
        if self._cursor.tick < self._end:
            return None
        line, setting = self.lines[-1], self._in_force
        if setting.percussion is not None and not self.percussion.is_done(
            line.bar, line.start, setting.percussion
        ):
            return None
        self._notes += self._cursor.leave_bar(self._end)
        notes = tuple(sorted(self._notes))
        if line.bar == self.last:
            span = self._start, self._end
            is_line = self._planned.plan.polyphony == 1 or setting.limits.voices == 1
            notes = tuple(
                closed(notes, span, setting.limits, setting.controls.key, is_line=is_line)
            )
        quarter = self._quarter(line.bar)
        revision = self.revisions.get(line.bar, -1) + 1
        self.revisions[line.bar] = revision
        heard = sounding(notes, setting.limits.transposition, line.transposition)
        heard = tuple(sorted((*heard, *self.percussion.take())))
        played, shifts, pedals = self._played(heard, quarter)
        chords, self._harmony = heard_chords(line.harmony, played, line.start, setting.metre)
        bar = Bar(
            line.bar,
            revision,
            line.start,
            setting.metre,
            quarter,
            played,
            shifts,
            setting.programs,
            self._planned.plan,
            self._planned.section.name,
            self._surprise / max(self._drawn, 1),
            pedals,
            chords,
        )
        self._close_bar(line, notes)
        self._begin()
        return moved(bar, line.told)

    def _played(
        self, notes: tuple[Note, ...], quarter: int
    ) -> tuple[tuple[Note, ...], tuple[int, ...], tuple[Pedal, ...]]:
        """The notes of the bar under way, where they sound, as they are played; by how many
        microseconds each is shifted; and the pedals."""
        line, setting, section = self.lines[-1], self._in_force, self._planned.section
        controls, key = setting.controls, (self.seed, self.stream, line.bar)
        touch = None if line.bar == self.last else controls.articulation  # the last chord is held
        played, shifts = performed(
            articulated(notes, max(self._end, self._cursor.tick), touch),
            line.start,
            quarter,
            controls.swing,
            controls.humanise_time,
            controls.humanise_velocity,
            key,
        )
        chords = self._planned.plan.chord, self._planned.plan.half_chord
        bar = PlayedBar(
            *(line.start, setting.metre, quarter, section.phrase, section.ending),
            *(chords, setting.programs, key),
        )
        played, shifts = rendered(played, shifts, bar, controls.expression)
        pressed = is_pressed(controls.pedal, controls.expression)
        return played, shifts, pedals_of(played, bar) if pressed else ()

    def _close_bar(self, line: BarLine, notes: tuple[Note, ...]) -> None:
        """Remember the bar and draw the bar line."""
        self.heard[line.bar] = self._told
        ended = max((note.onset + note.duration for note in notes), default=line.silent_from)
        silent_from = max(ended, line.silent_from)
        silence = self._end - silent_from - self._in_force.limits.max_rest
        surprise = self._surprise / max(self._drawn, 1)
        plan = self._planned.plan
        span = self._start, self._end
        values = heard_values(notes, span, line.cursor.carried)
        asked = self._in_force.positions
        # The guards hold the music to what was meant, not to what it took to get there.
        wanted = tuple(
            level - trim if level and position is not None else level
            for level, trim, position in zip(
                plan.levels, told(line.trims, asked), asked, strict=True
            )
        )
        meant = [
            level if position is not None and level else None
            for position, level in zip(asked, wanted, strict=True)
        ]
        copied = bool(self._told) and self._told == self.heard.get(plan.source)
        summary = summary_of(notes, span, values, wanted, plan, surprise, silence, copied=copied)
        guards = observe(line.guards, summary)
        self.lines.append(
            BarLine(
                line.bar + 1,
                self._end,
                self._cursor.copy(),
                tuple(self._event),
                self.lease.mark(),
                self._planned.form,
                self._planned.planner,
                retuned(guards) if self._retune else guards,
                self._conditions.anchor,
                self._conditions.setting.progression,
                silent_from,
                self._in_force.limits.transposition,
                self._lines.state(),
                corrected(line.trims, meant, values),
                told=line.told,
                harmony=self._harmony,
                patience=after_bar(line.patience, self._asked_parts, {n.part for n in notes}),
            )
        )
        if self._retune:
            self.percussion.retune(line.bar + 1)
        self._retune = False
        self._forget()

    @property
    def _asked_parts(self) -> tuple[int, ...]:
        """The parts that are asked for by number, from 0, and that this composer plays itself."""
        on = self._in_force.limits.parts_on
        return tuple(p for p, it in enumerate(on) if it) if self._in_force.controls.parts else ()

    def _forget(self) -> None:
        """Drop the notes of bars that nothing can echo any more, from any kept bar line on."""
        oldest = self.lines[0].bar - MAX_ECHO
        kept = [*kept_bars(self.lines[0].form), *kept_bars(self.lines[-1].form)]
        gone = [b for b in self.heard if b < oldest and not any(b in bars for bars in kept)]
        for bar in gone:
            del self.heard[bar]
