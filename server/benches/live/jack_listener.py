"""`python -m server.benches.live.jack_listener PORT`: prints what comes over JACK from this port.

A line of JSON for each message of three bytes: microseconds of the monotonic clock, the bytes. It
ends when its standard input does.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import rtmidi

LOOK_AGAIN = 0.05  # seconds


def main(name: str) -> None:
    ear = rtmidi.MidiIn(rtmidi.API_UNIX_JACK, "bench ear")

    def hear(event: tuple[list[int], float], data: Any) -> None:
        at = time.monotonic_ns() // 1000
        if len(event[0]) == 3:
            print(json.dumps([at, event[0]]), flush=True)

    ear.set_callback(hear)
    while name not in (ports := [port.rpartition(":")[2] for port in ear.get_ports()]):
        time.sleep(LOOK_AGAIN)
    ear.open_port(ports.index(name), "in")
    sys.stdin.read()
    ear.close_port()


if __name__ == "__main__":
    main(sys.argv[1])
