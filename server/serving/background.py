"""Background tasks of the server, each by itself: one that fails is started again, one that hangs
holds up no other. Use in the event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

log = logging.getLogger("perpetuo.server")

LONGEST_PAUSE = 60.0  # seconds until one that keeps failing is tried again
HANGS_AFTER = 30.0  # seconds that one round may take

Work = Callable[[], Awaitable[Any] | None]


class BackgroundTask:
    """Something that is done again and again. `faults` counts what went wrong."""

    def __init__(self, name: str, work: Work, every: float) -> None:
        self.name, self._work, self._every = name, work, every
        self.faults = 0
        self.last_fault = ""
        self._pause = every
        self._said: set[str] = set()
        self._began: float | None = None  # the round under way

    @property
    def is_hanging(self) -> bool:
        return self._began is not None and monotonic() - self._began > HANGS_AFTER

    async def run(self) -> None:
        """For ever; after a fault in longer pauses, until it goes well again."""
        while True:
            await asyncio.sleep(self._pause)
            self._began = monotonic()
            try:
                asked = self._work()
                if asked is not None:
                    await asked
            except Exception as error:
                self._failed(error)
            else:
                self._pause = self._every
            self._began = None

    def _failed(self, error: Exception) -> None:
        self.faults += 1
        self.last_fault = f"{type(error).__name__}: {error}"
        self._pause = min(2 * self._pause, max(LONGEST_PAUSE, self._every))
        kind = f"{type(error).__name__} {getattr(error, 'errno', '')}"
        if kind not in self._said:  # each kind of fault once, lest the log be full of it
            self._said.add(kind)
            log.error("%s: a fault; it is tried again", self.name, exc_info=error)


class BackgroundTasks:
    """All of them; `close` ends them."""

    def __init__(self) -> None:
        self.tasks: dict[str, BackgroundTask] = {}
        self._running: list[asyncio.Task[None]] = []

    def begin(self, name: str, work: Work, every: float = 1.0) -> None:
        """Have something done every so many seconds. `work` may return what is to be awaited."""
        task = self.tasks[name] = BackgroundTask(name, work, every)
        self._running.append(asyncio.create_task(task.run(), name=name))

    async def close(self) -> None:
        tasks, self._running = self._running, []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=1.0)

    @property
    def faults(self) -> dict[str, float]:
        return {name: task.faults for name, task in self.tasks.items()}

    @property
    def hanging(self) -> dict[str, float]:
        return {name: task.is_hanging for name, task in self.tasks.items()}
