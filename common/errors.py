"""Errors that a user can cause.

Every message is one sentence (or two) that names what was wrong and says what to do. The command
line prints the message alone; anything that is not a `PerpetuoError` is a fault of ours.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class PerpetuoError(Exception):
    """Base of every error whose message is written for the user."""


class ControlError(PerpetuoError):
    """A control was unknown or its value out of range."""


class MidiError(PerpetuoError):
    """A MIDI file could not be read."""


class BundleError(PerpetuoError):
    """A model file could not be used."""


class ProviderError(PerpetuoError):
    """The device asked for cannot compute here."""


class LogError(PerpetuoError):
    """A control log could not be read."""


class SnapshotError(PerpetuoError):
    """A saved stream could not be taken up."""


class PlanError(PerpetuoError):
    """A plan set by hand was not understood."""


class DatasetError(PerpetuoError):
    """A prepared training set could not be used."""


class ConfigError(PerpetuoError):
    """A configuration file was wrong."""


class CapacityError(PerpetuoError):
    """A stream was refused because it could not be served in time."""


class StreamError(PerpetuoError):
    """A stream was unknown, or could not do what was asked of it."""


class PortError(PerpetuoError):
    """A MIDI port, a network port or an address could not be used."""


class OutputError(PerpetuoError):
    """A file could not be written."""


class AudioError(PerpetuoError):
    """Sound could not be made: a library or a SoundFont is missing."""


@contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Put the file's name before an error about its content."""
    try:
        yield
    except (MidiError, LogError) as error:
        raise type(error)(f"{path}: {error}") from error
