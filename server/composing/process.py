"""The composing process: takes orders, composes what is most in need, reports bars.

One thread does all of it and looks for orders between any two steps of a network; two kinds of
work are done beside it, in threads: writing snapshots and loading further models. A stream that
cannot be composed on is taken out alone; what goes wrong beside the music ends nothing.
"""

from __future__ import annotations

import logging
from time import perf_counter

from common.errors import CapacityError, PerpetuoError, StreamError
from engine.ensemble.ensemble import ComposedBar, Ensemble
from engine.ensemble.stream_clock import StreamClock
from engine.files.control_log import MAX_SEED, MAX_STREAM
from engine.music.score import TIED_FROM
from engine.planning.guards import report as guard_report
from server.base.clock import Clock, seconds_until
from server.base.framing import FramingError
from server.child.heartbeat import Alive
from server.composing import messages, reports
from server.composing.composed_stream import ComposedStream
from server.composing.joining import joined
from server.composing.load_meter import EVERY, LoadMeter
from server.composing.messages import ComposerSettings
from server.composing.models import LoadedModel, LoadedModels, key_of
from server.composing.overload import Overload
from server.composing.reports import FaultReports, spoken
from server.composing.server_connection import ServerConnection, Waker
from server.composing.snapshots import Snapshots

log = logging.getLogger("perpetuo.composing")

InTime = (
    messages.ChangeOrder | messages.SnapshotOrder | messages.GoOnOrder
)  # that may have to wait for their time


class ComposerProcess:
    """All that the process does, driven by `run`."""

    def __init__(
        self, connection: ServerConnection, waker: Waker, settings: ComposerSettings
    ) -> None:
        """Loads and measures the default model, and says so."""
        self.settings = settings
        self.connection, self.waker = connection, waker
        self.now = Clock(settings.speed, settings.origin)
        self.models = LoadedModels(settings, waker)
        self.saving = Snapshots(settings, connection, waker, self.now)
        self.composed_streams: dict[int, ComposedStream] = {}
        self.waiting: dict[str, list[messages.JoinOrder]] = {}  # by key of the model that is loaded
        self.meter = LoadMeter(self.now())
        self.faults = FaultReports(connection)
        self.strain = Overload(settings.lookahead)
        self.is_closing = False
        self._held: dict[int, ComposedStream] = {}  # those with orders before their time
        self._failed: dict[int, ComposedStream] = {}  # until they leave
        self.connection.report(reports.ready(settings.model, self.models.default))

    def run(self) -> None:
        """Compose until the line ends or is closed."""
        idle = 0.0
        while self.connection.is_open and not self.is_closing:
            idle = self.turn(idle)
        if self.is_closing:
            self.saving.save_all(self.composed_streams.values())

    def turn(self, seconds: float) -> float:
        """Obey the orders that are there, waiting so long for one at most, and compose a note of
        every stream that needs one; returns for how long there is nothing to do after it."""
        for order in self.connection.listen(seconds):
            self._take(order)
        self.connection.flush()  # whoever asked need not wait for the step that follows
        self.waker.clear()
        self._meet_arrivals()
        self.faults.do("saving", self.saving.report_written)
        return 0.0 if self._compose() else self._idle()

    def _idle(self) -> float:
        """Seconds until there is something to do of its own accord."""
        wakes = [self.meter.due]
        if not self.connection.is_full:
            wakes += [loaded_model.ensemble.wakes for loaded_model in self.models.by_urgency]
        return seconds_until(min(wakes), self.now)

    # -- orders ----------------------------------------------------------------------------------

    def _take(self, order: messages.Order | FramingError) -> None:
        if isinstance(order, FramingError):
            log.error("%s", order)
            self.connection.report(messages.TroubleReport(0, str(order)))
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
        self.connection.report(
            messages.RefusalReport(request, stream, type(told).__name__, str(told))
        )

    def _obey(self, order: messages.Order) -> None:
        match order:
            case messages.JoinOrder():
                self._join(order)
            case messages.LeaveOrder():
                self._leave(order.stream, forget=order.forget)
            case messages.ChangeOrder() | messages.SnapshotOrder():
                self._obey_in_time(order)
            case messages.RestOrder(stream=stream, bar=bar):
                composed = self.composed_streams.get(stream)
                if composed is not None:
                    composed.loaded_model.ensemble.rest(stream, bar)
            case messages.GoOnOrder():
                if order.stream in self.composed_streams:  # else it has left
                    self._obey_in_time(order)
            case messages.ShiftOrder():
                composed = self.composed_streams.get(order.stream)
                if composed is not None:
                    composed.loaded_model.ensemble.shift(order.stream, order.bar, order.later)
            case messages.CloseOrder():
                self.is_closing = True

    def _obey_in_time(self, order: InTime) -> None:
        composed = self._voice(order.stream)
        if composed.held or not self._may(composed, order):
            composed.held.append(order)
            self._held[composed.stream] = composed
        elif isinstance(order, messages.ChangeOrder):
            self._change(composed, order)
        elif isinstance(order, messages.GoOnOrder):
            self._go_on(composed, order)
        else:
            self.saving.keep(composed, order.request)

    def _may(self, composed: ComposedStream, order: InTime) -> bool:
        """Whether its time has come."""
        if composed.member.is_catching_up:
            return False
        if isinstance(order, messages.ChangeOrder):
            return not (self.strain.is_felt and composed.is_being_revised)
        return not isinstance(order, messages.SnapshotOrder) or composed.can_be_saved

    def _voice(self, stream: int) -> ComposedStream:
        composed = self.composed_streams.get(stream)
        if composed is None:
            raise StreamError(f"stream {stream} is not composed here: it has ended")
        return composed

    def _join(self, order: messages.JoinOrder) -> None:
        if not (0 <= order.seed <= MAX_SEED and 0 <= order.number <= MAX_STREAM):
            raise StreamError(
                f"seed {order.seed} is out of range: give a whole number from 0 to {MAX_SEED}"
            )
        waiting = sum(map(len, self.waiting.values()))
        if len(self.composed_streams) + waiting >= self.settings.most:
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
                self.composed_streams.pop(order.stream, None)
            raise

    def _begin_in(self, order: messages.JoinOrder, loaded_model: LoadedModel) -> None:
        loaded_model.ensemble.elsewhere = self.models.share_beside(loaded_model)
        controls, left_out = joined(order, loaded_model, self.now())
        member = loaded_model.ensemble.members[order.stream]
        kept = member.first - order.stream % self.settings.keep_every
        composed = self.composed_streams[order.stream] = ComposedStream(
            order.stream, order.name, loaded_model, kept
        )
        if order.resume is not None:
            composed.changed(0, order.resume.change)
        self.connection.report(reports.joined(order, loaded_model, controls, left_out))

    def _leave(self, stream: int, *, forget: bool) -> None:
        for joins in self.waiting.values():
            for order in [order for order in joins if order.stream == stream]:
                joins.remove(order)
                self._refuse(order, StreamError(f"stream {stream} has ended"))
        composed = self.composed_streams.get(stream)
        if composed is not None:
            member = composed.member
            composed.loaded_model.ensemble.leave(stream)
            self._see_off(composed, member)
        composed = composed or self._failed.pop(stream, None)
        if forget and composed is not None:
            self.saving.remove(composed)

    def _see_off(self, composed: ComposedStream, member: StreamClock) -> None:
        """Of a stream that is not composed any more."""
        del self.composed_streams[composed.stream]
        self._held.pop(composed.stream, None)
        for order in composed.held:
            if isinstance(order, messages.GoOnOrder):
                continue
            self._refuse(order, StreamError(f"stream {composed.stream} has ended"))
        self.meter.left(guard_report(member.composer.lines[-1].guards))
        self.models.tidy(composed.loaded_model)

    def _change(self, composed: ComposedStream, order: messages.ChangeOrder) -> None:
        ensemble, stream = composed.loaded_model.ensemble, composed.stream
        bar = ensemble.change(stream, self.now(), order.set, order.plan, by_preset=order.by_preset)
        composed.changed(bar, order.change)
        self.connection.report(reports.changed(order, composed.loaded_model, bar))

    def _go_on(self, composed: ComposedStream, order: messages.GoOnOrder) -> None:
        under_way = composed.loaded_model.ensemble.go_on(
            order.stream, order.bar, order.due, order.tick
        )
        if under_way is not None:
            composed.leapt(under_way, order.bar)
            self.strain.behind(self.now(), self._ensembles())
            self.connection.report(
                messages.LeapReport(order.stream, under_way, order.bar, order.tick)
            )

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
        for composed in list(self._held.values()):
            while composed.held and self._may(composed, composed.held[0]):
                order = composed.held.pop(0)
                held, composed.held = composed.held, []
                self._take(order)
                composed.held = held
            if not composed.held:
                self._held.pop(composed.stream, None)

    # -- composing -------------------------------------------------------------------------------

    def _compose(self) -> bool:
        """One step where it is needed most; False if all streams are well ahead."""
        start = perf_counter()
        self._tell_load()
        if self.connection.is_full:
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

    def _deliver(self, loaded_model: LoadedModel, finished: ComposedBar) -> None:
        if finished.stream not in loaded_model.ensemble.members:
            return  # it failed right after this bar
        try:
            self._report_bar(loaded_model, finished)
        except Exception as error:
            loaded_model.ensemble.let_go(finished.stream, error)
            return
        composed = self.composed_streams[finished.stream]
        self.faults.do("saving", lambda: self.saving.now_and_then(composed, finished.bar.index))

    def _give_up_failed(self, loaded_model: LoadedModel) -> None:
        """Tell of the streams that could not be composed on: whoever has them begins them again."""
        for member, error in loaded_model.ensemble.take_failed():
            composed = self._failed[member.stream] = self.composed_streams[member.stream]
            log.error("%s cannot be composed on", composed.name, exc_info=error)
            self._see_off(composed, member)
            message = f"{composed.name} could not be composed on: {spoken(error)}"
            self.connection.report(messages.FailureReport(member.stream, message))

    def _report_bar(self, loaded_model: LoadedModel, composed: ComposedBar) -> None:
        stream, bar, due = composed
        composer = loaded_model.ensemble.members[stream].composer
        change = self.composed_streams[stream].change_of(bar.index)
        self.connection.report(reports.composed(stream, bar, due, composer, change))
        self.meter.composed(sum(not note.tie & TIED_FROM for note in bar.notes))

    def _tell_load(self) -> None:
        if self.now() < self.meter.due:
            return
        if not self.faults.do("telling the load", self._report_load):
            self.meter.due = self.now() + EVERY
            self.connection.report(Alive())

    def _ensembles(self) -> list[Ensemble]:
        return [loaded_model.ensemble for loaded_model in self.models.by_urgency]

    def _report_load(self) -> None:
        self.strain.pass_time(self.now(), self._ensembles())
        speed = self.models.default.ensemble.speed
        self.connection.report(reports.load(self.meter, self.now(), self.models.by_urgency, speed))
