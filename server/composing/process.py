"""The composing process: takes orders, composes what is most in need, reports bars.

One thread does all of it and looks for orders between any two steps of a network; two kinds of
work are done beside it, in threads: writing snapshots and loading further models.
"""

from __future__ import annotations

import logging
import os
from time import perf_counter

from engine.control_log import MAX_SEED, MAX_STREAM
from engine.ensemble import Composed as EngineComposed
from engine.errors import CapacityError, PerpetuoError, StreamError
from engine.guards import report as guard_report
from engine.score import TIED_FROM
from server.clock import Clock, seconds_until
from server.composing import messages
from server.composing.bell import Bell
from server.composing.framing import LineError
from server.composing.joining import joined
from server.composing.line import Line
from server.composing.meter import Meter
from server.composing.saving import Saving
from server.composing.settings import Settings
from server.composing.shelf import Choir, Shelf, key_of
from server.composing.spelling import wire_bar
from server.composing.voice import Voice
from server.wire import encode_bar

log = logging.getLogger("perpetuo.composing")

InTime = messages.Change | messages.Keep | messages.GoOn  # that may have to wait for their time


class Process:
    """All that the process does, driven by `run`."""

    def __init__(self, line: Line, bell: Bell, settings: Settings) -> None:
        """Loads and measures the default model, and says so."""
        self.settings = settings
        self.line, self.bell = line, bell
        self.now = Clock(settings.speed, settings.origin)
        self.shelf = Shelf(settings, bell)
        self.saving = Saving(settings, line, bell, self.now)
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
            idle = self.turn(idle)
        if self.is_closing:
            self.saving.save_all(self.voices.values())

    def turn(self, seconds: float) -> float:
        """Obey the orders that are there, waiting so long for one at most, and compose a note of
        every stream that needs one; returns for how long there is nothing to do after it."""
        for order in self.line.listen(seconds):
            self._take(order)
        self.line.flush()  # whoever asked need not wait for the step that follows
        self.bell.clear()
        self._meet_arrivals()
        self.saving.report_written()
        return 0.0 if self._compose() else self._idle()

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
            case messages.GoOn():
                if order.stream in self.voices:  # else it has left
                    self._obey_in_time(order)
            case messages.Shift():
                voice = self.voices.get(order.stream)
                if voice is not None:
                    voice.choir.ensemble.shift(order.stream, order.bar, order.later)
            case messages.Close():
                self.is_closing = True

    def _obey_in_time(self, order: InTime) -> None:
        voice = self._voice(order.stream)
        if voice.held or not self._may(voice, order):
            voice.held.append(order)
            self._held[voice.stream] = voice
        elif isinstance(order, messages.Change):
            self._change(voice, order)
        elif isinstance(order, messages.GoOn):
            self._go_on(voice, order)
        else:
            self.saving.keep(voice, order.request)

    def _may(self, voice: Voice, order: InTime) -> bool:
        """Whether its time has come."""
        if voice.member.is_catching_up:
            return False
        return not isinstance(order, messages.Keep) or voice.can_be_saved

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
        voice = self.voices[order.stream] = Voice(order.stream, order.name, choir, kept)
        if order.resume is not None:
            voice.changed(0, order.resume.change)
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
            if isinstance(order, messages.GoOn):
                continue
            self._refuse(order, StreamError(f"stream {stream} has ended"))
        self.meter.left(guard_report(voice.composer.lines[-1].guards))
        voice.choir.ensemble.leave(stream)
        self.shelf.tidy(voice.choir)
        if forget:
            self.saving.remove(voice)

    def _change(self, voice: Voice, order: messages.Change) -> None:
        ensemble, stream = voice.choir.ensemble, voice.stream
        bar = ensemble.change(stream, self.now(), order.set, order.plan)
        voice.changed(bar, order.change)
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

    def _go_on(self, voice: Voice, order: messages.GoOn) -> None:
        under_way = voice.choir.ensemble.go_on(order.stream, order.bar, order.due, order.tick)
        if under_way is not None:
            voice.leapt(under_way, order.bar)
            self.line.report(messages.Leapt(order.stream, under_way, order.bar, order.tick))

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
            messages.Composed(
                stream,
                bar.index,
                bar.revision,
                due,
                wired.length,
                encode_bar(wired),
                self.voices[stream].change_of(bar.index),
            )
        )
        self.meter.composed(sum(not note.tie & TIED_FROM for note in bar.notes))
        self.saving.now_and_then(self.voices[stream], bar.index)

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
