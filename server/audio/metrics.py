"""The figures of sound as rows of the metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from server.audio.encoded_stream import EncodedStream
from server.audio.icecast import IcecastSource
from server.audio.messages import SoundLoadReport, StationSoundLoad
from server.audio.radio import Radio
from server.audio.settings import HLS
from server.base.metrics import COUNTER, GAUGE, Metric, Value

NOTHING = SoundLoadReport({}, 0.0, 0)


def audio_metrics(radio: Radio | None, pushes: Sequence[IcecastSource]) -> tuple[Metric, ...]:
    """Of a server without sound all of them are there, and none has a value but `up`."""
    return (*_process(radio), *_stations(radio), *_streams(radio, pushes), *_pushes(pushes))


def _process(radio: Radio | None) -> Iterable[Metric]:
    yield Metric(
        "perpetuo_audio_up",
        GAUGE,
        "Whether the process that makes sound is there.",
        lambda: bool(radio and radio.client.is_up),
    )
    yield Metric(
        "perpetuo_audio_restarts_total",
        COUNTER,
        "Restarts of the process that makes sound.",
        lambda: radio.client.restarts if radio else 0,
    )
    yield Metric(
        "perpetuo_audio_busy_ratio",
        GAUGE,
        "Share of a core that making sound took in the last second.",
        lambda: _load(radio).busy,
    )
    yield Metric(
        "perpetuo_audio_memory_bytes",
        GAUGE,
        "Resident memory of the process that makes sound.",
        lambda: _load(radio).memory,
    )


def _stations(radio: Radio | None) -> Iterable[Metric]:
    def by_station(read: Callable[[StationSoundLoad], float | None]) -> Callable[[], Value]:
        def found() -> Value:
            values = {name: read(one) for name, one in _load(radio).stations.items()}
            return {name: value for name, value in values.items() if value is not None}

        return found

    rows: tuple[tuple[str, str, str, Callable[[StationSoundLoad], float | None]], ...] = (
        (
            "rendered_seconds_total",
            COUNTER,
            "Seconds of sound that were made.",
            lambda one: one.seconds,
        ),
        (
            "underruns_total",
            COUNTER,
            "Times that sound was more than a second late.",
            lambda one: one.underruns,
        ),
        (
            "loudness_lufs",
            GAUGE,
            "Loudness of the last half minute that went out.",
            lambda one: one.loudness,
        ),
        (
            "gain_decibels",
            GAUGE,
            "By how much the sound is raised to be so loud.",
            lambda one: one.gain,
        ),
    )
    for name, kind, help, read in rows:
        yield Metric(f"perpetuo_audio_{name}", kind, help, by_station(read), "station")


def _streams(radio: Radio | None, pushes: Sequence[IcecastSource]) -> Iterable[Metric]:
    def by_stream(read: Callable[[EncodedStream], float]) -> dict[str, float]:
        return {encoded.name: read(encoded) for encoded in _encoded_streams(radio)}

    yield Metric(
        "perpetuo_audio_listeners",
        GAUGE,
        "Listeners of each stream over HTTP; those of HLS cannot be counted.",
        lambda: by_stream(lambda encoded: encoded.listeners - _pushed(encoded, pushes)),
        "stream",
    )
    yield Metric(
        "perpetuo_audio_encoding",
        GAUGE,
        "Whether each stream is encoded now.",
        lambda: _encoded(radio),
        "stream",
    )
    yield Metric(
        "perpetuo_audio_sent_bytes_total",
        COUNTER,
        "Bytes of each stream, to all listeners together.",
        lambda: {**by_stream(lambda encoded: encoded.sent), **_hls_sent(radio)},
        "stream",
    )
    yield Metric(
        "perpetuo_audio_let_go_total",
        COUNTER,
        "Listeners that took too little and were let go.",
        lambda: by_stream(lambda encoded: encoded.let_go),
        "stream",
    )


def _pushes(pushes: Sequence[IcecastSource]) -> Iterable[Metric]:
    def by_mount(read: Callable[[IcecastSource], float]) -> Callable[[], Mapping[str, float]]:
        return lambda: {push.name: read(push) for push in pushes}

    yield Metric(
        "perpetuo_icecast_up",
        GAUGE,
        "Whether each Icecast takes what it is sent.",
        by_mount(lambda push: push.is_up),
        "mount",
    )
    yield Metric(
        "perpetuo_icecast_connections_total",
        COUNTER,
        "Times that each Icecast was connected to.",
        by_mount(lambda push: push.connections),
        "mount",
    )
    yield Metric(
        "perpetuo_icecast_failures_total",
        COUNTER,
        "Times that each Icecast could not be sent to, or ended the connection.",
        by_mount(lambda push: push.failures),
        "mount",
    )


def _load(radio: Radio | None) -> SoundLoadReport:
    return radio.load if radio else NOTHING


def _encoded_streams(radio: Radio | None) -> Iterable[EncodedStream]:
    for station in radio.stations.values() if radio else ():
        yield from station.encoded_streams.values()


def _pushed(encoded: EncodedStream, pushes: Sequence[IcecastSource]) -> int:
    """How many of a stream's listeners are Icecasts."""
    return sum(push.is_up and push.stream == encoded.name for push in pushes)


def _encoded(radio: Radio | None) -> dict[str, float]:
    stations = radio.stations.values() if radio else ()
    return {
        f"{one.name}.{form}": form in one.wanted
        for one in stations
        for form in (*one.encoded_streams, HLS)
    }


def _hls_sent(radio: Radio | None) -> dict[str, float]:
    stations = radio.stations.values() if radio else ()
    return {f"{one.name}.{HLS}": one.playlist.sent for one in stations}
