"""What a server is told about sound: the [audio] table of a configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal, get_args

from msgspec import Meta, field

from common.settings import Table

MP3: Final = "mp3"
OPUS: Final = "opus"
HLS: Final = "hls"
# At 48 kHz, which is what all sound here has.
_Mp3Bitrate = Literal[64, 80, 96, 112, 128, 160, 192, 224, 256, 320]
_MP3_BITRATES = "one of " + ", ".join(map(str, get_args(_Mp3Bitrate)))
Secret = Annotated[
    str, Meta(pattern=r"\A[!-~]{1,200}\Z", title="1 to 200 visible ASCII characters")
]


class IcecastSettings(Table, frozen=True):
    """An Icecast server that a station is sent to, [[audio.icecast]]."""

    mount: Annotated[
        str,
        Meta(pattern=r"\A/[!-~]{1,200}\Z", title="a path that begins with /"),
        "Where it is heard there, such as /study.mp3.",
    ]
    station: Annotated[str, "Name of the station; none: the first of the configuration."] = ""
    host: Annotated[str, "Its address."] = "localhost"
    port: Annotated[int, Meta(ge=1, le=65535), "Its port."] = 8000
    tls: Annotated[bool, "Whether it is spoken to over TLS."] = False
    user: Annotated[Secret, "Who we are to it."] = "source"
    password: Annotated[Secret | None, "Its password for sources."] = None
    password_file: Annotated[Path | None, "File that holds it, instead of `password`."] = None
    format: Annotated[Literal["mp3", "opus"], "What is sent."] = MP3
    name: Annotated[str, "As its directory shows it; nothing: the station's title."] = ""
    description: Annotated[str, "As its directory shows it."] = ""
    genre: Annotated[str, "As its directory shows it."] = ""
    url: Annotated[str, "A page about it."] = ""
    public: Annotated[bool, "Whether it is to be listed in public directories."] = False


class AudioSettings(Table, frozen=True):
    """Sound made by the server. Needs the extra `audio` and FluidSynth."""

    enabled: Annotated[
        bool,
        "Whether the server makes sound, for streams and Icecast. Where the libraries are missing"
        " it says so, and the rest works.",
    ] = True
    soundfont: Annotated[
        Path | None,
        "The instruments, also of the page: a name as in `perpetuo sounds`, or a file (.sf2, .sf3);"
        " none: TimGM6mb, which comes with pretty_midi.",
    ] = None
    formats: Annotated[
        tuple[Literal["mp3", "opus", "hls"], ...], "How stations are offered over HTTP."
    ] = (MP3, OPUS)
    stations: Annotated[tuple[str, ...], "Names of the stations that are offered; none: all."] = ()
    on_demand: Annotated[
        bool,
        "Render a station only while somebody listens or it is sent to an Icecast; false: always.",
    ] = True
    loudness: Annotated[float, Meta(ge=-30, le=-10), "LUFS that all music is brought to."] = -16.0
    burst: Annotated[
        float, Meta(ge=1, le=15), "Seconds of sound that a listener gets at once, and stays behind."
    ] = 4.0
    max_listeners: Annotated[
        int, Meta(ge=1, le=1_000_000), "Most listeners of all streams together."
    ] = 1000
    mp3_bitrate: Annotated[_Mp3Bitrate, Meta(title=_MP3_BITRATES), "kbit/s of MP3."] = 128
    opus_bitrate: Annotated[int, Meta(ge=32, le=320), "kbit/s of Opus."] = 96
    hls_bitrate: Annotated[int, Meta(ge=64, le=320), "kbit/s of AAC, which HLS carries."] = 128
    # Where stations are sent to.
    icecasts: tuple[IcecastSettings, ...] = field(name="icecast", default=())
