"""The models in use, each with the ensemble of its streams."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from pathlib import Path

from engine.ensemble import SEATS, Ensemble
from engine.errors import PerpetuoError
from engine.library import model_file
from engine.runtime import Network
from server.composing.bell import Bell
from server.composing.pace import Pace, measure
from server.composing.settings import Settings


@dataclass(eq=False)
class Choir:
    """A loaded model and its streams."""

    name: str
    network: Network
    ensemble: Ensemble
    pace: Pace

    @property
    def share(self) -> float:
        """Share of the time that its streams take."""
        return self.ensemble.demand / self.ensemble.speed


class Shelf:
    """Loads models, the first one at once and others beside the music, in threads."""

    def __init__(self, settings: Settings, bell: Bell) -> None:
        self.settings = settings
        self._bell = bell
        self._choirs: dict[str, Choir] = {}
        self._loading: set[str] = set()
        self._loaded: queue.SimpleQueue[tuple[str, Choir | Exception]] = queue.SimpleQueue()
        self._default = key_of(settings.model)
        self._choirs[self._default] = self._choir(settings.model)

    @property
    def default(self) -> Choir:
        return self._choirs[self._default]

    @property
    def choirs(self) -> list[Choir]:
        """All of them, the one whose music ends first in front."""
        if len(self._choirs) == 1:
            return [self.default]
        return sorted(self._choirs.values(), key=lambda choir: choir.ensemble.due)

    def find(self, key: str, model: str) -> Choir | None:
        """The choir of a model, with its `key_of`; None if it is not loaded yet, which is begun
        then and ends with the bell and `arrivals`."""
        if key not in self._choirs and key not in self._loading:
            work = threading.Thread(target=self._load, args=(key, model), daemon=True)
            work.start()
            self._loading.add(key)
        return self._choirs.get(key)

    def arrivals(self) -> dict[str, Choir | Exception]:
        """By `key_of`, the models that were loaded since the last call, or why they were not."""
        found: dict[str, Choir | Exception] = {}
        while not self._loaded.empty():
            key, result = self._loaded.get()
            self._loading.discard(key)
            found[key] = result
            if isinstance(result, Choir):
                self._choirs[key] = result
        return found

    def tidy(self, choir: Choir) -> None:
        """Let a model go whose last stream has left, unless it is the default."""
        if choir is not self.default and not choir.ensemble.members:
            self._choirs = {key: kept for key, kept in self._choirs.items() if kept is not choir}

    def share_beside(self, choir: Choir) -> float:
        """Share of the time that the streams of all other models take."""
        return sum(other.share for other in self._choirs.values() if other is not choir)

    def _load(self, key: str, model: str) -> None:
        try:
            self._loaded.put((key, self._choir(model)))
        except Exception as error:  # told to those who wait for the model
            self._loaded.put((key, error))
        self._bell.ring()

    def _choir(self, model: str) -> Choir:
        settings = self.settings
        network = Network.load(model_file(model), settings.device, settings.threads)
        # Elsewhere than on the CPU, putting states aside is dear and rows are cheap.
        rows = settings.rows or (0 if network.device == "cpu" else SEATS)
        pace = measure(network, rows)
        ensemble = Ensemble(
            network,
            lookahead=settings.lookahead,
            horizon=settings.horizon,
            most=settings.most,
            seats=pace.rows,
        )
        ensemble.measured(1, 1 / pace.speed)
        return Choir(model, network, ensemble, pace)


def key_of(model: str) -> str:
    """The same for two names of the same file, another if the file has changed. BundleError if
    there is no model of that name."""
    path = Path(model_file(model))
    try:
        found = path.stat()
    except OSError as error:
        raise PerpetuoError(f"the model {path} cannot be read: {error.strerror}") from None
    return f"{path.resolve()} {found.st_mtime_ns} {found.st_size}"
