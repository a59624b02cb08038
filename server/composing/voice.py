"""A stream as the composing process has it."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.composer import Composer
from engine.member import Member
from server.composing import messages
from server.composing.shelf import Choir


@dataclass(eq=False)
class Voice:
    """A stream as it was asked for. `held` are orders that come before its time: it still
    catches up, or stands in a bar that cannot be taken back."""

    stream: int
    name: str
    choir: Choir
    kept: int  # the bar at which it was last saved
    held: list[messages.Change | messages.Keep] = field(default_factory=list)

    @property
    def member(self) -> Member:
        return self.choir.ensemble.members[self.stream]

    @property
    def composer(self) -> Composer:
        return self.member.composer

    @property
    def can_be_saved(self) -> bool:
        return self.composer.first_open <= self.composer.next_bar
