"""Drums beside other parts, by a composer of their own.

Networks learned drums from drummers alone: once a part with pitches plays they expect no drum, and
once a drum plays nothing else. So drums that are asked for with other parts are composed under the
style in which they were learned, bar by bar after those parts and on the same row, whose state is
put aside meanwhile. Both composers plan with the same numbers: the drums come back when the form
brings a theme back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from engine.controls.controls import Controls
from engine.music.bars import Bar
from engine.music.score import PARTS, Note
from engine.music.time import Metre
from engine.network.row_lease import RowLease

if TYPE_CHECKING:
    from engine.composing.bar_line import BarLine
    from engine.composing.composer import Composer

STYLE = "drums"  # as corpora name what drummers play
SHARE, SPARSE = 0.6, 1.5  # of the density asked for; notes a quarter that make a beat
# Added to the number of a stream: its drums are drawn with other numbers than its other parts.
DRAWN_APART = 1 << 46


def percussion_beside(
    controls: Controls, styles: Sequence[str], metre: Metre, tempo: float
) -> Controls | None:
    """What drums are composed under beside the other parts; None if they are not asked for, or
    this model was not told which music is drums alone."""
    if len(controls.parts) < 2 or controls.parts[-1] != PARTS or STYLE not in styles:
        return None
    density = controls.density
    return Controls(
        tempo=tempo,
        metre=metre,
        grid=controls.grid,
        style=((STYLE, 1.0),),
        density=None if density is None else min(density, max(SPARSE, SHARE * density)),
        dynamics=controls.dynamics,
        max_rest=controls.max_rest,
        parts=(PARTS,),
        temperature=controls.temperature,
        min_p=controls.min_p,
        form=controls.form,
        section_bars=controls.section_bars,
        variety=controls.variety,
    )


class Percussion:
    """The drums of one stream, in step with its other parts: at any time one of both composers is
    on the stream's row. A composer of drums begins where they are asked for, and goes on as long
    as no bar is without them."""

    def __init__(self, lease: RowLease, opened: Callable[[int, int, Controls], Composer]) -> None:
        """`lease` is that of the other parts, `opened` gives a composer from a bar and tick on."""
        self._lease, self._opened = lease, opened
        self.composer: Composer | None = None
        self.is_drawing = False
        self._bar: Bar | None = None  # of drums that are done before anybody took them

    def line(self, bar: int) -> BarLine | None:
        """Where the drums begin this bar, if they have come so far."""
        lines = self.composer.lines if self.composer else ()
        return next((line for line in lines if line.bar == bar), None)

    def is_done(self, bar: int, start: int, controls: Controls) -> bool:
        """Whether the drums of this bar are there to be taken; if not, they are drawn next."""
        if self._bar is None and not self.is_drawing:
            self._take_the_row(bar, start, controls)
        if self.is_drawing:
            self._listen(self._at_work.finished())
        return self._bar is not None

    def take(self) -> tuple[Note, ...]:
        """The notes of the drums that are done, once; none where there are no drums."""
        bar, self._bar = self._bar, None
        return bar.notes if bar else ()

    @property
    def row(self) -> int:
        return self._at_work.row

    def prepare(self) -> None:
        self._at_work.prepare()

    def absorb(self) -> None:
        self._listen(self._at_work.absorb())

    @property
    def _at_work(self) -> Composer:
        assert self.composer is not None, "who draws is there"
        return self.composer

    def _take_the_row(self, bar: int, start: int, controls: Controls) -> None:
        self._lease.give_up_row()
        self.is_drawing = True
        composer = self.composer
        if composer is not None and composer.next_bar == bar:
            composer.lease.take_row()
            if composer.controls != controls:
                composer.set_out(controls)
        else:
            self.composer = self._opened(bar, start, controls)

    def _listen(self, bar: Bar | None) -> None:
        if bar is not None:
            self._bar = bar
            self._leave_the_row()

    def _leave_the_row(self) -> None:
        if self.is_drawing:
            self._at_work.lease.give_up_row()
            self._lease.take_row()
            self.is_drawing = False

    def take_up(self, opened: Callable[[], Composer]) -> None:
        """Go on with drums that were saved, on the row of the other parts."""
        self._lease.give_up_row()
        self.composer, self.is_drawing = opened(), True
        self._leave_the_row()

    # -- in step with the other parts --------------------------------------------------------------

    def rewind(self, bar: int) -> None:
        """The stream goes back to the bar line before `bar`."""
        self._leave_the_row()
        self._bar = None
        if self.line(bar):
            self._at_work.rewind(bar)
        elif self.composer and self.composer.next_bar > bar:
            self.composer = None

    def can_rewind(self, bar: int) -> bool:
        line = self.line(bar)
        return line is None or self._at_work.lease.can_rewind(line.mark)

    @property
    def has_room(self) -> bool:
        return self.composer is None or self.composer.has_room

    def commit(self, bar: int) -> None:
        """Bars before `bar` will not be composed again."""
        if self.composer and self.composer.next_bar < bar:
            self.composer = None  # it fell behind: drums that are asked for now begin anew
        elif self.composer:
            self.composer.commit(bar)

    def leap(self, before: int, bar: int) -> None:
        """The bar under way, `before`, is numbered `bar` from now on."""
        line = self.line(before)
        if line is not None:
            self._at_work.leap(bar, line.start)

    def close_with(self, bar: int) -> None:
        """The stream closes with this bar, and is about to go back to where it stands."""
        if self.composer is not None:
            self.composer.last = bar

    def retune(self, bar: int) -> None:
        """From this bar on something else is asked for."""
        if self.line(bar):
            self._at_work.retune()

    def close(self) -> None:
        """Give the row back, if it is the drums that have it."""
        if self.composer is not None:
            self.composer.close()
