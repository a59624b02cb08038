"""Writing and reading the messages of the protocol (docs/protocol.md), of `protocol.py`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

from perpetuo_client import protocol
from perpetuo_client.errors import ProtocolError

PROTOCOL = 1
# Ends of a connection after which it would be of no use, or unfair, to come back.
FINAL_ENDS = {"binary", "flood", "taken_over", "unauthorised", "version"}

# What this client asks; all of it is answered by `ack` or `error`.
Request: TypeAlias = (
    protocol.Listen
    | protocol.Unlisten
    | protocol.Open
    | protocol.Close
    | protocol.Steer
    | protocol.ChoosePreset
    | protocol.Transport
    | protocol.Reseed
    | protocol.LoadModel
    | protocol.GivePrompt
)


@dataclass(frozen=True, slots=True)
class Prompt:
    """Music that a stream begins with in mind; it is not played.

    Of each note the first five values count, as in `Note`: part, pitch, velocity, tick, length;
    ticks are counted from the beginning of the prompt, 24 to a quarter.
    """

    notes: Iterable[Sequence[int]]
    metre: str = "4/4"
    tempo: int = 500_000  # microseconds a quarter
    programs: tuple[int, ...] = (0,) * 8  # General MIDI programs by part, from 0

    def plain(self) -> protocol.PromptMusic:
        return {
            "notes": [list(note[:5]) for note in self.notes],
            "metre": self.metre,
            "tempo": self.tempo,
            "programs": list(self.programs),
        }


def encode(message: Mapping[str, object]) -> str:
    """A message; fields that are None are left out."""
    return json.dumps({name: value for name, value in message.items() if value is not None})


def decode(text: str | bytes) -> protocol.FromServer:
    """A message, which may be of a type that this version does not know: look at `type` first."""
    try:
        message = json.loads(text)
    except ValueError as error:
        raise ProtocolError(f"The server sent what is no JSON: {error}.") from error
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise ProtocolError("The server sent what is no message: it has no type.")
    return cast(protocol.FromServer, message)
