"""An OSC program in a process of its own, built with python-osc: `python osc_peer.py PORT LINES…`

Sends each line (JSON: [address, value, …]; or {"after": seconds, "messages": [line, …]}, a bundle
that is due so many seconds from now) to the port of this machine, waits after each for the answers
up to one with the address in "until", if the line is {"until": address}, and prints everything that
came, as JSON lines.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from pythonosc.osc_bundle import OscBundle
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.udp_client import UDPClient


def message(line: list[Any]) -> OscMessage:
    builder = OscMessageBuilder(line[0])
    for value in line[1:]:
        builder.add_arg(value)
    return builder.build()


def bundle(line: dict[str, Any]) -> OscBundle:
    after = line["after"]
    builder = OscBundleBuilder(time.time() + after if after else IMMEDIATELY)  # type: ignore[arg-type]
    for inner in line["messages"]:
        builder.add_content(message(inner))
    return builder.build()


def flat(datagram: bytes) -> list[OscMessage]:
    if OscBundle.dgram_is_bundle(datagram):
        return [found for content in OscBundle(datagram) for found in flat(content.dgram)]
    return [OscMessage(datagram)]


def main() -> None:
    client = UDPClient("127.0.0.1", int(sys.argv[1]))
    for text in sys.argv[2:]:
        line = json.loads(text)
        if isinstance(line, list):
            client.send(message(line))
        elif "messages" in line:
            client.send(bundle(line))
        else:
            wait_for(client, line["until"])


def wait_for(client: UDPClient, address: str) -> None:
    while True:
        datagram = client.receive(30)
        if not datagram:
            sys.exit(f"no {address} came within 30 seconds")
        for found in flat(datagram):
            print(json.dumps([found.address, *found.params]), flush=True)
            if found.address == address:
                return


if __name__ == "__main__":
    main()
