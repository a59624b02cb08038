"""What a server is told about sound: the [audio] table of a configuration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from server.configuration.options import option

MP3, OPUS, HLS = "mp3", "opus", "hls"
FORMATS = (MP3, OPUS, HLS)
# At 48 kHz, which is what all sound here has.
MP3_BITRATES = (64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_SECRET = r"[!-~]{1,200}"
_SECRET_FORM = "1 to 200 visible ASCII characters"


@dataclass(frozen=True)
class IcecastSettings:
    """An Icecast server that a station is sent to, [[audio.icecast]]."""

    mount: str = option(
        help="Where it is heard there, such as /study.mp3.",
        pattern=r"/[!-~]{1,200}",
        form="a path that begins with /",
    )
    station: str = option("", "Name of the station; none: the first of the configuration.")
    host: str = option("localhost", "Its address.")
    port: int = option(8000, "Its port.", low=1, high=65535)
    tls: bool = option(False, "Whether it is spoken to over TLS.")
    user: str = option("source", "Who we are to it.", pattern=_SECRET, form=_SECRET_FORM)
    password: str | None = option(
        None, "Its password for sources.", pattern=_SECRET, form=_SECRET_FORM
    )
    password_file: Path | None = option(None, "File that holds it, instead of `password`.")
    format: str = option(MP3, "What is sent.", choices=(MP3, OPUS))
    name: str = option("", "As its directory shows it; nothing: the station's title.")
    description: str = option("", "As its directory shows it.")
    genre: str = option("", "As its directory shows it.")
    url: str = option("", "A page about it.")
    public: bool = option(False, "Whether it is to be listed in public directories.")


@dataclass(frozen=True)
class AudioSettings:
    """Sound made by the server. Needs the extra `audio` and FluidSynth."""

    enabled: bool = option(
        True,
        "Whether the server makes sound, for streams and Icecast. Where the libraries are missing"
        " it says so, and the rest works.",
    )
    soundfont: Path | None = option(
        None,
        "The instruments (.sf2), also of the page; none: TimGM6mb, which comes with pretty_midi.",
    )
    formats: tuple[str, ...] = option(
        (MP3, OPUS), "How stations are offered over HTTP.", choices=FORMATS
    )
    stations: tuple[str, ...] = option((), "Names of the stations that are offered; none: all.")
    on_demand: bool = option(
        True,
        "Render a station only while somebody listens or it is sent to an Icecast; false: always.",
    )
    loudness: float = option(-16.0, "LUFS that all music is brought to.", low=-30, high=-10)
    burst: float = option(
        4.0,
        "Seconds of sound that a listener gets at once, and stays behind.",
        low=1,
        high=15,
    )
    max_listeners: int = option(
        1000, "Most listeners of all streams together.", low=1, high=1_000_000
    )
    mp3_bitrate: int = option(
        128,
        "kbit/s of MP3.",
        form="one of " + ", ".join(map(str, MP3_BITRATES)),
    )
    opus_bitrate: int = option(96, "kbit/s of Opus.", low=32, high=320)
    hls_bitrate: int = option(128, "kbit/s of AAC, which HLS carries.", low=64, high=320)
    icecasts: tuple[IcecastSettings, ...] = option((), "Icecast servers that stations are sent to.")

    def __post_init__(self) -> None:
        if self.mp3_bitrate not in MP3_BITRATES:
            raise ValueError(
                f"mp3_bitrate: {self.mp3_bitrate} is none of MP3 at 48 kHz: choose one of"
                f" {', '.join(map(str, MP3_BITRATES))}"
            )
