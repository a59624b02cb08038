"""The composing process: takes orders, composes what is most in need, reports bars.

One thread does all of it and looks for orders between any two steps of a network; two kinds of
work are done beside it, in threads: writing snapshots and loading further models.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from engine.composer import Composer
from engine.control_log import MAX_SEED, MAX_STREAM
from engine.ensemble import Composed as EngineComposed
from engine.errors import CapacityError, OutputError, PerpetuoError, StreamError
from engine.guards import report as guard_report
from engine.score import TIED_FROM
from engine.snapshot import save
from server.clock import Clock, seconds_until
from server.composing import messages
from server.composing.bell import Bell
from server.composing.framing import LineError
from server.composing.joining import joined
from server.composing.keeper import Keeper, Snapshot, snapshot_name
from server.composing.line import Line
from server.composing.meter import Meter
from server.composing.settings import Settings
from server.composing.shelf import Choir, Shelf, key_of
from server.composing.spelling import wire_bar
from server.wire import encode_bar

log = logging.getLogger("perpetuo.composing")

# Between two snapshots that nobody asked for: bounds what many streams write.
KEEP_GAP = 50_000
MOST_UNWRITTEN = 4


@dataclass(eq=False)
class Voice:
    """A stream as it was asked for. `held` are orders that come before its time: it still
    catches up, or stands in a bar that cannot be taken back."""

    stream: int
    name: str
    choir: Choir
    kept: int  # the bar at which it was last saved
    held: list[messages.Change | messages.Keep] = field(default_factory=list)


class Process:
    """All that the process does, driven by `run`."""

    def __init__(self, line: Line, bell: Bell, settings: Settings) -> None:
        """Loads and measures the default model, and says so."""
        self.settings = settings
        self.line, self.bell = line, bell
        self.now = Clock(settings.speed, settings.origin)
        self.shelf = Shelf(settings, bell)
        self.keeper = Keeper(bell)
        self.voices: dict[int, Voice] = {}
        self.waiting: dict[str, list[messages.Join]] = {}  # by key of the model that is loaded
        self.meter = Meter(self.now())
        self.is_closing = False
        self._held: dict[int, Voice] = {}  # those with orders before their time
        self._last_kept = 0
        self._in_trouble = False
        choir = self.shelf.default
        self.line.report(
            messages.Ready(
                settings.model,
                choir.network.digest,
                choir.network.specification.styles,
                choir.pace.speed,
                os.getpid(),
            )
        )

    def run(self) -> None:
        """Compose until the line ends or is closed."""
        idle = 0.0
        while self.line.is_open and not self.is_closing:
            for order in self.line.listen(idle):
                self._take(order)
            self.line.flush()  # whoever asked need not wait for the step that follows
            self.bell.clear()
            self._meet_arrivals()
            self._report_written()
            idle = 0.0 if self._compose() else self._idle()
        if self.is_closing:
            self._save_all()

    def _idle(self) -> float:
        """Seconds until there is something to do of its own accord."""
        wakes = [self.meter.due]
        if not self.line.is_full:
            wakes += [choir.ensemble.wakes for choir in self.shelf.choirs]
        return seconds_until(min(wakes), self.now)

    # -- orders ----------------------------------------------------------------------------------

    def _take(self, order: messages.Order | LineError) -> None:
        if isinstance(order, LineError):
            log.error("%s", order)
            self.line.report(messages.Trouble(0, str(order)))
            return
        try:
            self._obey(order)
        except PerpetuoError as error:
            self._refuse(order, error)
        except Exception as error:  # one order that goes wrong must not end the music of all
            log.exception("a fault of ours")
            self._refuse(order, StreamError(f"a fault of ours: {error!r}; see the server's log"))

    def _refuse(self, order: messages.Order, error: PerpetuoError) -> None:
        request = getattr(order, "request", 0)
        stream = getattr(order, "stream", 0)
        self.line.report(messages.Refused(request, stream, type(error).__name__, str(error)))

    def _obey(self, order: messages.Order) -> None:
        match order:
            case messages.Join():
                self._join(order)
            case messages.Leave():
                self._leave(order.stream, forget=order.forget)
            case messages.Change() | messages.Keep():
                self._obey_in_time(order)
            case messages.Shift():
                voice = self.voices.get(order.stream)
                if voice is not None:
                    voice.choir.ensemble.shift(order.stream, order.bar, order.later)
            case messages.Close():
                self.is_closing = True

    def _obey_in_time(self, order: messages.Change | messages.Keep) -> None:
        voice = self._voice(order.stream)
        if voice.held or not self._may(voice, order):
            voice.held.append(order)
            self._held[voice.stream] = voice
        elif isinstance(order, messages.Change):
            self._change(voice, order)
        else:
            self._keep(voice, order.request)

    def _may(self, voice: Voice, order: messages.Change | messages.Keep) -> bool:
        member = voice.choir.ensemble.members[voice.stream]
        if isinstance(order, messages.Change):
            return not member.is_catching_up
        return not member.is_catching_up and _can_be_saved(member.composer)

    def _voice(self, stream: int) -> Voice:
        voice = self.voices.get(stream)
        if voice is None:
            raise StreamError(f"stream {stream} is not composed here: it has ended")
        return voice

    def _join(self, order: messages.Join) -> None:
        if not (0 <= order.seed <= MAX_SEED and 0 <= order.number <= MAX_STREAM):
            raise StreamError(
                f"seed {order.seed} is out of range: give a whole number from 0 to {MAX_SEED}"
            )
        waiting = sum(map(len, self.waiting.values()))
        if len(self.voices) + waiting >= self.settings.most:
            raise CapacityError(
                f"all {self.settings.most} streams are taken: try again when one has ended"
            )
        choir = self.shelf.find(order.model)
        if choir is None:
            self.waiting.setdefault(key_of(order.model), []).append(order)
        else:
            self._begin(order, choir)

    def _begin(self, order: messages.Join, choir: Choir) -> None:
        choir.ensemble.elsewhere = self.shelf.share_beside(choir)
        controls = joined(order, choir, self.now())
        member = choir.ensemble.members[order.stream]
        kept = member.first - order.stream % self.settings.keep_every
        self.voices[order.stream] = Voice(order.stream, order.name, choir, kept)
        self.line.report(
            messages.Joined(
                order.request,
                order.stream,
                choir.network.digest,
                order.model,
                controls.complete(),
                member.first,
                member.dues[member.first],
                choir.network.specification.styles,
            )
        )

    def _leave(self, stream: int, *, forget: bool) -> None:
        for joins in self.waiting.values():
            joins[:] = [order for order in joins if order.stream != stream]
        voice = self.voices.pop(stream, None)
        if voice is None:
            return
        self._held.pop(stream, None)
        for order in voice.held:
            self._refuse(order, StreamError(f"stream {stream} has ended"))
        member = voice.choir.ensemble.members[stream]
        self.meter.left(guard_report(member.composer.lines[-1].guards))
        voice.choir.ensemble.leave(stream)
        self.shelf.tidy(voice.choir)
        if forget and self.settings.directory:
            self.keeper.remove(Path(self.settings.directory, snapshot_name(voice.name)))

    def _change(self, voice: Voice, order: messages.Change) -> None:
        ensemble, stream = voice.choir.ensemble, voice.stream
        bar = ensemble.change(stream, self.now(), order.set, order.plan)
        controls = ensemble.members[stream].composer.controls
        self.line.report(
            messages.Changed(
                order.request,
                stream,
                bar,
                ensemble.due_of(stream, bar),
                {name: controls.plain(name) for name in order.set},
            )
        )

    def _meet_arrivals(self) -> None:
        """Begin the streams whose model has been loaded."""
        for key, result in self.shelf.arrivals().items():
            for order in self.waiting.pop(key, []):
                try:
                    if isinstance(result, Exception):
                        raise result
                    self._begin(order, result)
                except PerpetuoError as error:
                    self._refuse(order, error)
            if isinstance(result, Choir):
                self.shelf.tidy(result)

    def _release_held(self) -> None:
        """Obey what was held back as soon as it may be."""
        for voice in list(self._held.values()):
            while voice.held and self._may(voice, voice.held[0]):
                order = voice.held.pop(0)
                held, voice.held = voice.held, []
                self._take(order)
                voice.held = held
            if not voice.held:
                self._held.pop(voice.stream, None)

    # -- composing -------------------------------------------------------------------------------

    def _compose(self) -> bool:
        """One step where it is needed most; False if all streams are well ahead."""
        start = perf_counter()
        self._report_load()
        if self.line.is_full:
            return False
        for choir in self.shelf.choirs:
            ensemble = choir.ensemble
            done, count = ensemble.step(self.now())
            if not (done or count):
                continue
            for composed in done:
                self._report_bar(choir, composed)
            seconds = perf_counter() - start
            self.meter.worked(seconds)
            # Calls for a few rows among many that sit out say little about the machine.
            if 4 * count >= 3 * ensemble.computed > 0:
                speed = choir.pace.took(seconds, ensemble.computed)
                if speed is not None:
                    ensemble.measured(1, 1 / speed)
            if self._held:
                self._release_held()
            return True
        return False

    def _report_bar(self, choir: Choir, composed: EngineComposed) -> None:
        stream, bar, due = composed
        composer = choir.ensemble.members[stream].composer
        # The bar line after it knows how it sounded.
        transposition = composer.lines[-1].transposition
        wired = wire_bar(bar, composer.controls.key, transposition)
        self.line.report(
            messages.Composed(stream, bar.index, bar.revision, due, wired.length, encode_bar(wired))
        )
        self.meter.composed(sum(not note.tie & TIED_FROM for note in bar.notes))
        voice = self.voices[stream]
        if self.settings.directory and bar.index - voice.kept >= self.settings.keep_every:
            self._keep_now_and_then(voice, composer)

    def _report_load(self) -> None:
        if self.now() < self.meter.due:
            return
        choirs = self.shelf.choirs
        members = [m for choir in choirs for m in choir.ensemble.members.values()]
        self.line.report(
            self.meter.load(
                self.now(),
                len(members),
                self.shelf.default.ensemble.speed,
                sum(choir.ensemble.demand for choir in choirs),
                (guard_report(member.composer.lines[-1].guards) for member in members),
            )
        )

    # -- snapshots -------------------------------------------------------------------------------

    def _keep_now_and_then(self, voice: Voice, composer: Composer) -> None:
        time = self.now()
        if (
            time - self._last_kept < KEEP_GAP
            or self.keeper.waiting >= MOST_UNWRITTEN
            or not _can_be_saved(composer)
        ):
            return
        self._last_kept = time
        self._keep(voice, 0)

    def _keep(self, voice: Voice, request: int) -> None:
        if not self.settings.directory:
            raise OutputError("no folder for snapshots was named: set one in the configuration")
        composer = voice.choir.ensemble.members[voice.stream].composer
        path = Path(self.settings.directory, snapshot_name(voice.name))
        voice.kept = composer.first_open
        self.keeper.keep(Snapshot(request, voice.stream, voice.kept, path, save(composer)))

    def _report_written(self) -> None:
        for snapshot, failure in self.keeper.written():
            request, stream, bar = snapshot.request, snapshot.stream, snapshot.bar
            if not failure:
                self._in_trouble = False
                self.line.report(messages.Kept(request, stream, bar, str(snapshot.path)))
                continue
            if request:
                self.line.report(messages.Refused(request, stream, "OutputError", failure))
            if not self._in_trouble:  # said once, until it works again
                self._in_trouble = True
                log.warning("%s", failure)
                self.line.report(messages.Trouble(stream, failure))

    def _save_all(self) -> None:
        for voice in self.voices.values():
            member = voice.choir.ensemble.members[voice.stream]
            if not self.settings.directory or member.is_catching_up:
                continue
            if _can_be_saved(member.composer):
                self._keep(voice, 0)
            while self.keeper.waiting >= MOST_UNWRITTEN:
                self.line.listen(0.01)
                self._report_written()
        self.keeper.close()
        self._report_written()


def _can_be_saved(composer: Composer) -> bool:
    return composer.first_open <= composer.next_bar
