"""An endless stream to iterate over, which can be steered meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from engine.composing.composer import Composer
from engine.composing.following import refuse_unfollowed
from engine.composing.snapshot import save
from engine.controls.values import Json
from engine.library import MOST_BARS
from engine.library.arguments import plain_controls, whole_number
from engine.library.bars import next_bar
from engine.library.music import Music
from engine.music.bars import Bar


class MusicStream:
    """Bars without end, each composed when it is asked for. Use it in one thread at a time."""

    def __init__(self, composer: Composer, model: str) -> None:
        self._composer = composer
        self.model = model

    @property
    def seed(self) -> int:
        return self._composer.seed

    @property
    def controls(self) -> dict[str, Json]:
        """The controls of the next bar, whatever differs from the defaults."""
        return self._composer.controls.as_dict()

    def __iter__(self) -> Iterator[Bar]:
        return self

    def __next__(self) -> Bar:
        return next_bar(self._composer)

    def take(self, bars: int) -> Music:
        """The next bars, as music."""
        wanted = whole_number("bars", bars, 0, MOST_BARS)
        controls = self.controls
        return Music(tuple(islice(self, wanted)), self.seed, self.model, controls)

    def steer(self, **controls: object) -> None:
        """Set controls by name, heard from the next bar on. ControlError, and nothing changed, if
        one is wrong, or the model does not follow it."""
        composer, asked = self._composer, plain_controls(controls)
        changed = composer.controls.with_values(asked)
        refuse_unfollowed(composer.spec, composer.table, changed, asked)
        composer.change(asked)

    def snapshot(self) -> bytes:
        """The stream as it stands: `engine.resume` goes on with it, note for note."""
        return save(self._composer)

    def __repr__(self) -> str:
        return f"<stream: seed {self.seed}, at bar {self._composer.next_bar}>"
