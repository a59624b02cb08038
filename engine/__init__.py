"""The composing core: pure and deterministic; and what scripts and notebooks use of it.

Numpy only; onnxruntime in `engine.network.runtime` alone. No sockets, threads, wall clock or torch.
Importing this package imports nothing heavy: ask for the module you need, or for one of these
names, which then loads what it takes.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.library.composing import Music, MusicStream, compose, resume, stream

__all__ = ["Music", "MusicStream", "compose", "resume", "stream"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from engine.library import composing

    return getattr(composing, name)


def __dir__() -> list[str]:
    return sorted((*globals(), *__all__))
