"""Hands what happens to streams on to the player."""

from __future__ import annotations

from collections.abc import Callable

from server.house.events import BarPlanned, BarsMoved, Panicked, StateTurned, StreamEvent
from server.house.stream import Stream
from server.playing.player import Player


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
