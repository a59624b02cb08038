"""The bars of one stream and when they sound: fed with messages, asked for bars.

Knows no socket and no clock: `now` is always given, in microseconds of the server's clock.
"""

from __future__ import annotations

from dataclasses import replace
from weakref import WeakSet

from perpetuo_client.bars import Bar

KEPT = 256  # bars, planned ones and those that a slow reader may still ask for
PLAYING, STOPPED, ENDED = "playing", "stopped", "ended"


class Timeline:
    """What is known of a stream.

    `stops` and `panics` count how often all that sounded was to end at once. At a stop nothing
    follows until bars move; after a panic the music goes on with its next note. When a stream
    begins anew (another `epoch`), the bar that sounds is played to its end and the planned ones
    are void.
    """

    def __init__(self) -> None:
        self.epoch = 0
        self.state = PLAYING
        self.reason = ""
        self.bars: dict[int, Bar] = {}
        self.stops = 0
        self.panics = 0
        self.cursors: WeakSet[Cursor] = WeakSet()
        self._expects_all = False

    def put(self, bar: Bar) -> None:
        """A planned bar; an outdated one (of an earlier epoch, a lower revision) is passed over."""
        if bar.epoch > self.epoch:
            self._begin(bar.epoch)
        if self._expects_all and bar.epoch == self.epoch:
            self._expects_all = False
            self.bars = {i: known for i, known in self.bars.items() if i < bar.index}
        known = self.bars.get(bar.index)
        outdated = known is not None and bar.revision < known.revision
        if bar.epoch < self.epoch or outdated or bar == known:
            return
        self.bars[bar.index] = bar
        while len(self.bars) > KEPT:
            del self.bars[min(self.bars)]

    def move(self, index: int, later: int) -> None:
        """All bars from `index` on are due later by so many microseconds, and sound again."""
        for bar in list(self.bars.values()):
            if bar.index >= index:
                self.bars[bar.index] = replace(bar, due=bar.due + later)
        for cursor in self.cursors:
            cursor.rewind(index)

    def turn(self, state: str, epoch: int, reason: str) -> None:
        if epoch > self.epoch:
            self._begin(epoch)
        if state != PLAYING and self.state == PLAYING:
            self.stops += 1
        self.state, self.reason = state, reason

    def panic(self) -> None:
        self.panics += 1

    def expect_all(self, state: str, epoch: int) -> None:
        """All that is planned follows, whatever was known of it: the server may have forgotten
        this client, or have been started again."""
        if epoch < self.epoch:
            self._begin(epoch)
        self.turn(state, epoch, "")
        self._expects_all = True

    def _begin(self, epoch: int) -> None:
        self.epoch = epoch
        self.bars.clear()
        for cursor in self.cursors:
            cursor.begin()


class Cursor:
    """A reader's place in a timeline.

    Ask `next` until it gives no bar; then wait until the time it gave, or until the timeline
    changes. It is pulled, never pushed: a reader that is slow keeps nothing waiting, and one that
    is slower than the timeline remembers misses bars, which `missed` counts.
    """

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.missed = 0
        timeline.cursors.add(self)

    def next(self, now: int) -> Bar | int | None:
        """The next bar; or the time at which there will be one; or None: nothing is known."""
        raise NotImplementedError

    def rewind(self, index: int) -> None:
        """Bars from `index` on sound once more."""
        raise NotImplementedError

    def begin(self) -> None:
        """The stream begins anew: all that was given is past."""
        raise NotImplementedError


class CommittedCursor(Cursor):
    """Every bar once, in order, `lead` microseconds before it is due, in its newest revision.

    Begins with the bar that sounds now. A bar that sounds again, because the stream was stopped
    in it and goes on from its beginning, is given again.
    """

    def __init__(self, timeline: Timeline, lead: int) -> None:
        super().__init__(timeline)
        self.lead = lead
        self.at: int | None = None  # the next bar's index; None: the one that sounds now

    def next(self, now: int) -> Bar | int | None:
        bars = self.timeline.bars
        if self.timeline.state != PLAYING:
            return None
        if bars and self.at is not None and self.at > max(bars) + 1:
            self.begin()  # a server that was started again from its beginning
        index = min((i for i, bar in bars.items() if self._is_ahead(bar, now)), default=None)
        if index is None:
            return None
        bar = bars[index]
        if now < bar.due - self.lead:
            return bar.due - self.lead
        self.missed += 0 if self.at is None else index - self.at
        self.at = index + 1
        return bar

    def _is_ahead(self, bar: Bar, now: int) -> bool:
        return bar.end > now if self.at is None else bar.index >= self.at

    def rewind(self, index: int) -> None:
        self.at = index if self.at is None else min(self.at, index)

    def begin(self) -> None:
        self.at = None


class PlannedCursor(Cursor):
    """Every revision of every bar at once, those planned already first.

    Of several revisions that come while the reader is busy it gets the newest.
    """

    def __init__(self, timeline: Timeline) -> None:
        super().__init__(timeline)
        self.given: dict[int, Bar] = {}

    def next(self, now: int) -> Bar | int | None:
        bars = self.timeline.bars
        for index in sorted(bars):
            if self.given.get(index) != bars[index]:
                self.given[index] = bars[index]
                return bars[index]
        while len(self.given) > 2 * KEPT:
            del self.given[min(self.given)]
        return None

    def rewind(self, index: int) -> None:
        """Bars that moved are others than those given, and so given again."""

    def begin(self) -> None:
        self.given.clear()
