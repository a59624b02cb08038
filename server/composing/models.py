"""The models in use, each with the ensemble of its streams."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from pathlib import Path

from common.errors import PerpetuoError
from engine.ensemble.ensemble import MOST_ROWS, Ensemble
from engine.library.loading import load_network
from engine.library.models import model_file
from engine.network.runtime import Network
from server.composing.messages import ComposerSettings
from server.composing.pace import NetworkPace, measure
from server.composing.server_connection import Waker


@dataclass(eq=False)
class LoadedModel:
    """A loaded model and its streams."""

    name: str
    network: Network
    ensemble: Ensemble
    pace: NetworkPace

    @property
    def share(self) -> float:
        """Share of the time that its streams take."""
        return self.ensemble.demand / self.ensemble.speed


class LoadedModels:
    """Loads models, the first one at once and others beside the music, in threads."""

    def __init__(self, settings: ComposerSettings, waker: Waker) -> None:
        self.settings = settings
        self._waker = waker
        self._by_key: dict[str, LoadedModel] = {}
        self._loading: set[str] = set()
        self._loaded: queue.SimpleQueue[tuple[str, LoadedModel | Exception]] = queue.SimpleQueue()
        self._default = key_of(settings.model)
        self._by_key[self._default] = self._open(settings.model)

    @property
    def default(self) -> LoadedModel:
        return self._by_key[self._default]

    @property
    def by_urgency(self) -> list[LoadedModel]:
        """All of them, the one whose music ends first in front."""
        if len(self._by_key) == 1:
            return [self.default]
        return sorted(self._by_key.values(), key=lambda one: one.ensemble.due)

    def find(self, key: str, model: str) -> LoadedModel | None:
        """The loaded model, with its `key_of`; None if it is not loaded yet, which is begun
        then and ends with a waking and `arrivals`."""
        if key not in self._by_key and key not in self._loading:
            work = threading.Thread(target=self._load, args=(key, model), daemon=True)
            work.start()
            self._loading.add(key)
        return self._by_key.get(key)

    def arrivals(self) -> dict[str, LoadedModel | Exception]:
        """By `key_of`, the models that were loaded since the last call, or why they were not."""
        found: dict[str, LoadedModel | Exception] = {}
        while not self._loaded.empty():
            key, result = self._loaded.get()
            self._loading.discard(key)
            found[key] = result
            if isinstance(result, LoadedModel):
                self._by_key[key] = result
        return found

    def tidy(self, loaded_model: LoadedModel) -> None:
        """Let a model go whose last stream has left, unless it is the default."""
        if loaded_model is not self.default and not loaded_model.ensemble.members:
            self._by_key = {
                key: kept for key, kept in self._by_key.items() if kept is not loaded_model
            }

    def share_beside(self, loaded_model: LoadedModel) -> float:
        """Share of the time that the streams of all other models take."""
        return sum(other.share for other in self._by_key.values() if other is not loaded_model)

    def _load(self, key: str, model: str) -> None:
        try:
            self._loaded.put((key, self._open(model)))
        except Exception as error:  # told to those who wait for the model
            self._loaded.put((key, error))
        self._waker.wake()

    def _open(self, model: str) -> LoadedModel:
        settings = self.settings
        network = load_network(model_file(model), settings.device, settings.threads)
        # Elsewhere than on the CPU, putting states aside is dear and rows are cheap.
        rows = settings.rows or (0 if network.device == "cpu" else MOST_ROWS)
        pace = measure(network, rows)
        ensemble = Ensemble(
            network,
            lookahead=settings.lookahead,
            horizon=settings.horizon,
            most=settings.most,
            rows=pace.rows,
        )
        ensemble.measured(1, 1 / pace.speed)
        return LoadedModel(model, network, ensemble, pace)


def key_of(model: str) -> str:
    """The same for two names of the same file, another if the file has changed. BundleError if
    there is no model of that name."""
    path = Path(model_file(model))
    try:
        found = path.stat()
    except OSError as error:
        raise PerpetuoError(f"the model {path} cannot be read: {error.strerror}") from None
    return f"{path.resolve()} {found.st_mtime_ns} {found.st_size}"
