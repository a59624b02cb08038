"""The dispatching thread, the one that looks after its outputs, and who hands streams on to them.

Every method of `Player` may be called from any thread, returns at once and is obeyed within
`SLICE`, in the order of the calls.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from server.base.clock import monotonic_us, seconds_until
from server.base.wire import WireBar
from server.house.events import BarPlanned, BarsMoved, Panicked, StateTurned, StreamEvent
from server.house.stream import Stream
from server.playing.dispatch import Dispatch, OutputState, PortReport
from server.playing.lateness import Lateness
from server.playing.outputs import Event, Output

log = logging.getLogger("perpetuo.player")

SLICE = 0.005  # seconds that the thread sleeps at most
WATCH_EVERY = 0.5  # seconds from one look at the outputs to the next
REVIVE_EVERY = 2  # looks from one attempt to open a lost output to the next
PRIORITY = 40  # of SCHED_FIFO: above what plays no music, below audio drivers
SWITCH_INTERVAL = 0.0005


def prefer_the_player() -> None:
    """Let threads take turns often, so that none of them holds up a note. Once, at start."""
    sys.setswitchinterval(SWITCH_INTERVAL)


class Player:
    """Plays streams into outputs. `report` is called from its threads: hand it on to an event loop
    with `loop.call_soon_threadsafe`."""

    def __init__(
        self,
        report: Callable[[PortReport], None] = lambda report: None,
        clock: Callable[[], int] = monotonic_us,
    ) -> None:
        self._clock = clock
        self._dispatch = Dispatch(clock, report)
        self._orders: deque[Callable[[], None]] = deque()
        self._outlets: list[OutputState] = []
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="player", daemon=True)
        self._watcher = threading.Thread(target=self._watch, name="output watch", daemon=True)
        self.real_time = False  # whether the system gave the thread real-time priority

    # -- what may be asked of it -------------------------------------------------------------------

    def start(self) -> None:
        # Daemon threads are not waited for at exit, so nothing would end what sounds.
        atexit.register(self.close)
        self._thread.start()
        self._watcher.start()

    def close(self) -> None:
        """End every note on every output, close them and end the threads; waits for that."""
        atexit.unregister(self.close)
        self._ending.set()
        for thread in (self._thread, self._watcher):
            if thread.is_alive():
                thread.join(timeout=3)

    def add(self, stream: str, outputs: Sequence[Output], offset: int = 0) -> None:
        """Play a stream into these outputs as well, so many microseconds later than due (or
        earlier). The player closes them when the stream is removed."""
        outlets = [OutputState(stream, output, output.is_alive()) for output in outputs]
        self._outlets = [*self._outlets, *outlets]
        self._order(self._dispatch.add, stream, outlets, offset)

    def remove(self, stream: str) -> None:
        """End what sounds of a stream and close its outputs."""
        self._outlets = [outlet for outlet in self._outlets if outlet.stream != stream]
        self._order(self._dispatch.remove, stream)

    def offer(self, stream: str, index: int, revision: int, due: int, bar: WireBar) -> None:
        """Plan a bar. A revised one replaces what has not begun; else it is ignored and counted."""
        self._order(self._dispatch.offer, stream, index, revision, due, bar)

    def move(self, stream: str, bar: int, later: int) -> None:
        """All bars from `bar` on are due later; after a stop, `bar` is where it goes on."""
        self._order(self._dispatch.move, stream, bar, later)

    def stop(self, stream: str) -> None:
        """End what sounds, stop the clock, keep what is planned."""
        self._order(self._dispatch.stop, stream)

    def go_on(self, stream: str) -> None:
        self._order(self._dispatch.go_on, stream)

    def restart(self, stream: str) -> None:
        """Forget all bars that have not begun: the stream begins anew with those to come."""
        self._order(self._dispatch.restart, stream)

    def panic(self, stream: str) -> None:
        """End what sounds, by all means that the outputs have; the music goes on."""
        self._order(self._dispatch.panic, stream)

    def send_now(self, stream: str, event: Event) -> None:
        """Play an event that belongs to no bar; a note with a length is ended after it."""
        self._order(self._dispatch.send_now, stream, event)

    # -- what it knows, for metrics ----------------------------------------------------------------

    @property
    def lateness(self) -> Lateness:
        """Of every event, from its due time to just before it was sent."""
        return self._dispatch.lateness

    @property
    def ignored_bars(self) -> int:
        return self._dispatch.ignored

    @property
    def missed_notes(self) -> int:
        return self._dispatch.missed

    @property
    def faults(self) -> int:
        return self._dispatch.faults

    def outputs(self) -> list[tuple[str, str, bool]]:
        """(stream, output, whether it is there)."""
        return [(outlet.stream, outlet.output.name, outlet.alive) for outlet in self._outlets]

    # -- the thread that plays ---------------------------------------------------------------------

    def _order(self, do: Callable[..., None], *words: object) -> None:
        self._orders.append(partial(do, *words))

    def _run(self) -> None:
        self.real_time = _ask_for_priority()
        try:
            while not self._ending.is_set():
                time.sleep(self._turn())
        finally:
            self._obey()
            self._dispatch.close()

    def _turn(self) -> float:
        """Do what is due; returns how many seconds to sleep."""
        try:
            self._obey()
            due = self._dispatch.step()
        except Exception:  # a fault in one turn must not end the music of all streams
            self._dispatch.faults += 1
            log.exception("the player: a fault of ours")
            return SLICE
        return SLICE if due is None else min(SLICE, seconds_until(due, self._clock))

    def _obey(self) -> None:
        while self._orders:
            order = self._orders.popleft()
            try:
                order()
            except Exception:
                self._dispatch.faults += 1
                log.exception("the player: a fault of ours")

    # -- the thread that looks after the outputs ---------------------------------------------------

    def _watch(self) -> None:
        looks = 0
        while not self._ending.wait(WATCH_EVERY):
            looks += 1
            for outlet in self._outlets:
                self._look_after(outlet, may_revive=looks % REVIVE_EVERY == 0)

    def _look_after(self, outlet: OutputState, *, may_revive: bool) -> None:
        """Nothing is sent to an output that is not alive, so it may be opened here meanwhile."""
        output, dispatch = outlet.output, self._dispatch
        try:
            if outlet.alive:
                if not output.is_alive():
                    self._order(dispatch.lost, outlet, "it vanished")
            elif may_revive and output.revive():
                self._order(dispatch.found, outlet)
        except Exception:
            dispatch.faults += 1
            log.exception("%s: a fault of ours", output.name)


def _ask_for_priority() -> bool:
    """Real-time priority for the calling thread; whether the system permits it."""
    try:
        policy = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK
        os.sched_setscheduler(threading.get_native_id(), policy, os.sched_param(PRIORITY))
    except AttributeError:
        log.info("playing without real-time priority: this system has no such thing")
    except OSError:
        log.info(
            "playing without real-time priority: permit it with 'ulimit -r %d' or rtprio in"
            " /etc/security/limits.conf",
            PRIORITY,
        )
    else:
        log.info("playing with real-time priority (SCHED_FIFO %d)", PRIORITY)
        return True
    return False


class PlayingStreams:
    """Listens to the streams that are played. `attach` is called with each when it first begins:
    it gives the player its outputs."""

    def __init__(self, player: Player, attach: Callable[[Stream], None]) -> None:
        self.player, self.attach = player, attach
        self._epochs: dict[str, int] = {}

    def hear(self, stream: Stream, event: StreamEvent) -> None:
        player, name = self.player, stream.name
        if name not in self._epochs:
            self._epochs[name] = stream.epoch
            self.attach(stream)
        match event:
            case BarPlanned(planned):
                player.offer(name, planned.index, planned.revision, planned.due, planned.bar)
            case BarsMoved(bar, later):
                player.move(name, bar, later)
            case Panicked():
                player.panic(name)
            case StateTurned(state="stopped"):
                player.stop(name)
            case StateTurned(state="ended"):
                player.remove(name)
                del self._epochs[name]
            case StateTurned(state="playing") if self._epochs[name] != event.epoch:
                self._epochs[name] = event.epoch
                player.restart(name)
            case StateTurned(state="playing"):
                player.go_on(name)
            case _:
                pass
