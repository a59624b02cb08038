"""The composing process: takes orders, composes what is most in need, reports bars.

One thread does all of it and looks for orders between any two steps of a network; two kinds of
work are done beside it, in threads: writing snapshots and loading further models. A stream that
cannot be composed on is taken out alone; what goes wrong beside the music ends nothing.
"""

from __future__ import annotations

import logging
from time import perf_counter

from common.errors import CapacityError, PerpetuoError, StreamError
from engine.ensemble.ensemble import ComposedBar as EngineComposed
from engine.ensemble.ensemble import Ensemble
from engine.ensemble.stream_clock import StreamClock
from engine.files.control_log import MAX_SEED, MAX_STREAM
from engine.music.score import TIED_FROM
from engine.planning.guards import report as guard_report
from server.base.clock import Clock, seconds_until
from server.base.framing import FramingError
from server.child.heartbeat import Alive
from server.composing import messages, reports
from server.composing.composed_stream import ComposedStream
from server.composing.fault_reports import FaultReports, spoken
from server.composing.joining import joined
from server.composing.load_meter import EVERY, LoadMeter
from server.composing.models import LoadedModel, LoadedModels, key_of
from server.composing.overload import Overload
from server.composing.server_connection import ServerConnection
from server.composing.settings import ComposerSettings
from server.composing.snapshots import Snapshots
from server.composing.waker import Waker

log = logging.getLogger("perpetuo.composing")

InTime = (
    messages.ChangeOrder | messages.SnapshotOrder | messages.GoOnOrder
)  # that may have to wait for their time


class ComposerProcess:
    """All that the process does, driven by `run`."""

    def __init__(self, line: ServerConnection, waker: Waker, settings: ComposerSettings) -> None:
        """Loads and measures the default model, and says so."""
        self.settings = settings
        self.line, self.waker = line, waker
        self.now = Clock(settings.speed, settings.origin)
        self.models = LoadedModels(settings, waker)
        self.saving = Snapshots(settings, line, waker, self.now)
        self.voices: dict[int, ComposedStream] = {}
        self.waiting: dict[str, list[messages.JoinOrder]] = {}  # by key of the model that is loaded
        self.meter = LoadMeter(self.now())
        self.chores = FaultReports(line)
        self.strain = Overload(settings.lookahead)
        self.is_closing = False
        self._held: dict[int, ComposedStream] = {}  # those with orders before their time
        self._failed: dict[int, ComposedStream] = {}  # until they leave
        self.line.report(reports.ready(settings.model, self.models.default))

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
        self.waker.clear()
        self._meet_arrivals()
        self.chores.do("saving", self.saving.report_written)
        return 0.0 if self._compose() else self._idle()

    def _idle(self) -> float:
        """Seconds until there is something to do of its own accord."""
        wakes = [self.meter.due]
        if not self.line.is_full:
            wakes += [loaded_model.ensemble.wakes for loaded_model in self.models.by_urgency]
        return seconds_until(min(wakes), self.now)

    # -- orders ----------------------------------------------------------------------------------

    def _take(self, order: messages.Order | FramingError) -> None:
        if isinstance(order, FramingError):
            log.error("%s", order)
            self.line.report(messages.TroubleReport(0, str(order)))
            return
        try:
            self._obey(order)
        except Exception as error:  # one order that goes wrong must not end the music of all
            self._refuse(order, error)

    def _refuse(self, order: messages.Order, error: Exception) -> None:
        if not isinstance(error, PerpetuoError):
            log.error("a fault of ours", exc_info=error)
        request = getattr(order, "request", 0)
        stream = getattr(order, "stream", 0)
        told = spoken(error)
        self.line.report(messages.RefusalReport(request, stream, type(told).__name__, str(told)))

    def _obey(self, order: messages.Order) -> None:
        match order:
            case messages.JoinOrder():
                self._join(order)
            case messages.LeaveOrder():
                self._leave(order.stream, forget=order.forget)
            case messages.ChangeOrder() | messages.SnapshotOrder():
                self._obey_in_time(order)
            case messages.RestOrder(stream=stream, bar=bar):
                voice = self.voices.get(stream)
                if voice is not None:
                    voice.loaded_model.ensemble.rest(stream, bar)
            case messages.GoOnOrder():
                if order.stream in self.voices:  # else it has left
                    self._obey_in_time(order)
            case messages.ShiftOrder():
                voice = self.voices.get(order.stream)
                if voice is not None:
                    voice.loaded_model.ensemble.shift(order.stream, order.bar, order.later)
            case messages.CloseOrder():
                self.is_closing = True

    def _obey_in_time(self, order: InTime) -> None:
        voice = self._voice(order.stream)
        if voice.held or not self._may(voice, order):
            voice.held.append(order)
            self._held[voice.stream] = voice
        elif isinstance(order, messages.ChangeOrder):
            self._change(voice, order)
        elif isinstance(order, messages.GoOnOrder):
            self._go_on(voice, order)
        else:
            self.saving.keep(voice, order.request)

    def _may(self, voice: ComposedStream, order: InTime) -> bool:
        """Whether its time has come."""
        if voice.member.is_catching_up:
            return False
        if isinstance(order, messages.ChangeOrder):
            return not (self.strain.is_felt and voice.is_being_revised)
        return not isinstance(order, messages.SnapshotOrder) or voice.can_be_saved

    def _voice(self, stream: int) -> ComposedStream:
        voice = self.voices.get(stream)
        if voice is None:
            raise StreamError(f"stream {stream} is not composed here: it has ended")
        return voice

    def _join(self, order: messages.JoinOrder) -> None:
        if not (0 <= order.seed <= MAX_SEED and 0 <= order.number <= MAX_STREAM):
            raise StreamError(
                f"seed {order.seed} is out of range: give a whole number from 0 to {MAX_SEED}"
            )
        waiting = sum(map(len, self.waiting.values()))
        if len(self.voices) + waiting >= self.settings.most:
            raise CapacityError(
                f"all {self.settings.most} streams are taken: try again when one has ended"
            )
        key = key_of(order.model)
        loaded_model = self.models.find(key, order.model)
        if loaded_model is None:
            self.waiting.setdefault(key, []).append(order)
        else:
            self._begin(order, loaded_model)

    def _begin(self, order: messages.JoinOrder, loaded_model: LoadedModel) -> None:
        """Refused, whatever it is refused for, it leaves nothing behind."""
        is_new = order.stream not in loaded_model.ensemble.members
        try:
            self._begin_in(order, loaded_model)
        except Exception:
            if is_new and order.stream in loaded_model.ensemble.members:
                loaded_model.ensemble.leave(order.stream)
                self.voices.pop(order.stream, None)
            raise

    def _begin_in(self, order: messages.JoinOrder, loaded_model: LoadedModel) -> None:
        loaded_model.ensemble.elsewhere = self.models.share_beside(loaded_model)
        controls = joined(order, loaded_model, self.now())
        member = loaded_model.ensemble.members[order.stream]
        kept = member.first - order.stream % self.settings.keep_every
        voice = self.voices[order.stream] = ComposedStream(
            order.stream, order.name, loaded_model, kept
        )
        if order.resume is not None:
            voice.changed(0, order.resume.change)
        self.line.report(reports.joined(order, loaded_model, controls))

    def _leave(self, stream: int, *, forget: bool) -> None:
        for joins in self.waiting.values():
            for order in [order for order in joins if order.stream == stream]:
                joins.remove(order)
                self._refuse(order, StreamError(f"stream {stream} has ended"))
        voice = self.voices.get(stream)
        if voice is not None:
            member = voice.member
            voice.loaded_model.ensemble.leave(stream)
            self._see_off(voice, member)
        voice = voice or self._failed.pop(stream, None)
        if forget and voice is not None:
            self.saving.remove(voice)

    def _see_off(self, voice: ComposedStream, member: StreamClock) -> None:
        """Of a stream that is not composed any more."""
        del self.voices[voice.stream]
        self._held.pop(voice.stream, None)
        for order in voice.held:
            if isinstance(order, messages.GoOnOrder):
                continue
            self._refuse(order, StreamError(f"stream {voice.stream} has ended"))
        self.meter.left(guard_report(member.composer.lines[-1].guards))
        self.models.tidy(voice.loaded_model)

    def _change(self, voice: ComposedStream, order: messages.ChangeOrder) -> None:
        ensemble, stream = voice.loaded_model.ensemble, voice.stream
        bar = ensemble.change(stream, self.now(), order.set, order.plan)
        voice.changed(bar, order.change)
        self.line.report(reports.changed(order, voice.loaded_model, bar))

    def _go_on(self, voice: ComposedStream, order: messages.GoOnOrder) -> None:
        under_way = voice.loaded_model.ensemble.go_on(
            order.stream, order.bar, order.due, order.tick
        )
        if under_way is not None:
            voice.leapt(under_way, order.bar)
            self.strain.behind(self.now(), self._ensembles())
            self.line.report(messages.LeapReport(order.stream, under_way, order.bar, order.tick))

    def _meet_arrivals(self) -> None:
        """Begin the streams whose model has been loaded."""
        for key, result in self.models.arrivals().items():
            for order in self.waiting.pop(key, []):
                try:
                    if isinstance(result, Exception):
                        raise result
                    self._begin(order, result)
                except Exception as error:
                    self._refuse(order, error)
            if isinstance(result, LoadedModel):
                self.models.tidy(result)

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
        self._tell_load()
        if self.line.is_full:
            return False
        for loaded_model in self.models.by_urgency:
            ensemble = loaded_model.ensemble
            done, count = ensemble.step(self.now())
            if not (done or count or ensemble.failed):
                continue
            for composed in done:
                self._deliver(loaded_model, composed)
            self._give_up_failed(loaded_model)
            seconds = perf_counter() - start
            self.meter.worked(seconds)
            # Calls for a few rows among many that sit out say little about the machine.
            if 4 * count >= 3 * ensemble.computed > 0:
                speed = loaded_model.pace.took(seconds, ensemble.computed)
                if speed is not None:
                    ensemble.measured(1, 1 / speed)
            if self._held:
                self._release_held()
            return True
        return False

    def _deliver(self, loaded_model: LoadedModel, composed: EngineComposed) -> None:
        if composed.stream not in loaded_model.ensemble.members:
            return  # it failed right after this bar
        try:
            self._report_bar(loaded_model, composed)
        except Exception as error:
            loaded_model.ensemble.let_go(composed.stream, error)
            return
        voice = self.voices[composed.stream]
        self.chores.do("saving", lambda: self.saving.now_and_then(voice, composed.bar.index))

    def _give_up_failed(self, loaded_model: LoadedModel) -> None:
        """Tell of the streams that could not be composed on: whoever has them begins them again."""
        for member, error in loaded_model.ensemble.take_failed():
            voice = self._failed[member.stream] = self.voices[member.stream]
            log.error("%s cannot be composed on", voice.name, exc_info=error)
            self._see_off(voice, member)
            message = f"{voice.name} could not be composed on: {spoken(error)}"
            self.line.report(messages.FailureReport(member.stream, message))

    def _report_bar(self, loaded_model: LoadedModel, composed: EngineComposed) -> None:
        stream, bar, due = composed
        composer = loaded_model.ensemble.members[stream].composer
        change = self.voices[stream].change_of(bar.index)
        self.line.report(reports.composed(stream, bar, due, composer, change))
        self.meter.composed(sum(not note.tie & TIED_FROM for note in bar.notes))

    def _tell_load(self) -> None:
        if self.now() < self.meter.due:
            return
        if not self.chores.do("telling the load", self._report_load):
            self.meter.due = self.now() + EVERY
            self.line.report(Alive())

    def _ensembles(self) -> list[Ensemble]:
        return [loaded_model.ensemble for loaded_model in self.models.by_urgency]

    def _report_load(self) -> None:
        self.strain.pass_time(self.now(), self._ensembles())
        speed = self.models.default.ensemble.speed
        self.line.report(reports.load(self.meter, self.now(), self.models.by_urgency, speed))
