"""The server's end of the line to the process that makes sound, which is supervised
(`server.child`).

Everything is called, and calls back, in the thread of the event loop, and nothing waits but `start`
and `close`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from common.errors import AudioError
from server.audio.messages import Order, Report, SoundReady, SoundSettings, SoundUnable
from server.audio.server_connection import report_frames
from server.base.framing import encode
from server.child.starting import ChildKind, python_module
from server.child.supervised import Child, ChildCondition

log = logging.getLogger("perpetuo.audio")

SOUND = ChildKind(
    "the process that makes sound",
    python_module("server.audio"),
    # Its products of matrices are small: threads would cost more than they bring.
    {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
    most_waiting=8 * 2**20,
    hangs_after=8.0,
)
END_WITHIN = 2.0  # seconds


class SoundClient:
    """One process at a time. `on_report` hears all that it reports, `SoundReady` at each beginning
    included; `on_end` is called when one has ended that was not asked to, and the next is begun."""

    def __init__(
        self,
        settings: SoundSettings,
        on_report: Callable[[Report], None],
        on_end: Callable[[], None],
        kind: ChildKind | None = None,
    ) -> None:
        self._on_report = on_report
        self.trouble = ""  # why no sound can ever be made here, a sentence
        self._ready: Report | None = None
        self._child = Child(
            kind or SOUND,
            settings.argument(),
            report_frames,
            greet=self._greet,
            take=on_report,
            lost=on_end,
            back=self._is_back,
        )

    @property
    def is_up(self) -> bool:
        return self._child.is_up

    @property
    def restarts(self) -> int:
        return self.condition.restarts

    @property
    def condition(self) -> ChildCondition:
        return self._child.condition

    @property
    def pid(self) -> int | None:
        return self._child.pid

    async def start(self) -> None:
        """Returns when the process can make sound, has said in `trouble` why it cannot, or has
        failed for now: then another one is tried as if it had been there before."""
        await self._child.start(whatever_comes=True)
        self._is_back()

    async def close(self) -> None:
        """The end of the line ends the process; it is killed if it takes long."""
        await self._child.close(END_WITHIN)

    def send(self, order: Order) -> None:
        """What is sent to nobody is lost: who begins anew is told all of it again."""
        if self.is_up:
            self._child.send(encode(order))

    def _greet(self, report: Report) -> bool:
        if isinstance(report, SoundUnable):
            self.trouble = report.message
            self._child.give_up(report.message)
            raise AudioError(report.message)
        if isinstance(report, SoundReady):
            self._ready = report
        return isinstance(report, SoundReady)

    def _is_back(self) -> None:
        if self._ready is not None:
            self._on_report(self._ready)
            self._ready = None
