"""A process that does to a server what nobody should: `python abuser.py WEB_PORT OSC_PORT SECONDS`.

Floods it with OSC and WebSocket messages that are wrong in every way it knows, from several
clients, and prints what it did as one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import struct
import sys
from collections import Counter
from collections.abc import Awaitable, Callable

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

PAUSE = 0.002  # seconds between messages of one client: a flood, but no fight for the processor
HELLO = json.dumps({"type": "hello", "protocol": 1})
LISTEN = json.dumps({"type": "listen", "stream": "test"})
done: Counter[str] = Counter()


# -- OSC -------------------------------------------------------------------------------------------


def text(words: str) -> bytes:
    data = words.encode()
    return data + bytes(4 - len(data) % 4)


def osc(choose: random.Random) -> bytes:
    """One datagram; nothing in it may change anything."""
    number = struct.pack(">i", choose.randrange(1 << 31))
    message = text("/perpetuo/test/tempo") + text(",f") + struct.pack(">f", -1e30)
    deep = message
    for _ in range(choose.randrange(1, 8)):
        deep = text("#bundle") + bytes(7) + b"\x01" + struct.pack(">i", len(deep)) + deep
    return choose.choice(
        [
            choose.randbytes(choose.randrange(2000)),
            message[: choose.randrange(len(message))],
            message,
            deep,
            text("#bundle") + b"\xff" * 8 + struct.pack(">i", len(message)) + message,
            text("#bundle") + bytes(8) + struct.pack(">i", -4) + message,
            text("/perpetuo/test/density") + text(",s") + text("very"),
            text("/perpetuo/test/seed") + text(",i") + b"\xff\xff\xff\xff",
            text("/perpetuo/test/load") + text(",s") + text("no such model"),
            text("/perpetuo/nowhere/stop") + text(","),
            text("/perpetuo/*/stop") + text(","),
            text("/perpetuo/test/subscribe") + text(",si") + text("256.1.1.1") + number,
            text("/perpetuo/test/" + "x" * choose.randrange(3000)) + text(","),
        ]
    )


async def flood_osc(port: int, choose: random.Random) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setblocking(False)
        while True:
            try:
                client.sendto(osc(choose), ("127.0.0.1", port))
                done["osc"] += 1
            except BlockingIOError:
                pass
            await asyncio.sleep(PAUSE)


# -- WebSocket -------------------------------------------------------------------------------------


async def wrong_messages(client: ClientConnection, choose: random.Random) -> None:
    steer = {"type": "steer", "stream": "test", "id": 1}
    while True:
        await client.send(
            choose.choice(
                [
                    "",
                    "{",
                    "null",
                    "[" * 5000,
                    '{"a":' * 3000,
                    '{"type":"steer"}',
                    '{"type":"nothing","id":1}',
                    HELLO,
                    "".join(map(chr, choose.choices(range(32, 0xD000), k=200))),
                    json.dumps({**steer, "controls": {"density": 99}}),
                    json.dumps({**steer, "controls": {"no such control": None}}),
                    json.dumps({**steer, "plan": {"-1": {"chord": 1 << 60}}}),
                    json.dumps({"type": "listen", "stream": "x" * 80, "id": 1 << 70}),
                    json.dumps({"type": "open", "seed": 1, "controls": {"tempo": "fast"}}),
                    json.dumps({"type": "seed", "stream": "test", "seed": -1}),
                ]
            )
        )
        await asyncio.sleep(PAUSE)


async def flood(client: ClientConnection, choose: random.Random) -> None:
    while True:
        for _ in range(20):
            await client.send("{}")
        await asyncio.sleep(PAUSE)


async def binary(client: ClientConnection, choose: random.Random) -> None:
    await client.send(choose.randbytes(100))
    await client.wait_closed()


async def oversized(client: ClientConnection, choose: random.Random) -> None:
    await client.send("x" * (1 << 20))
    await client.wait_closed()


async def never_reading(client: ClientConnection, choose: random.Random) -> None:
    client.transport.pause_reading()
    await asyncio.sleep(3600)


async def visits(
    port: int,
    behave: Callable[[ClientConnection, random.Random], Awaitable[None]],
    choose: random.Random,
) -> None:
    """Come, misbehave, and come again when the server has had enough."""
    while True:
        try:
            address = f"ws://127.0.0.1:{port}/ws"
            async with connect(address, compression=None, proxy=None, close_timeout=0.2) as client:
                done[behave.__name__] += 1
                await client.send(HELLO)
                await client.send(LISTEN)
                await behave(client, choose)
        except (ConnectionClosed, InvalidHandshake, InvalidMessage, OSError):
            pass
        await asyncio.sleep(0.1)


async def no_http(port: int, choose: random.Random) -> None:
    while True:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(choose.randbytes(500) + b"\r\n\r\n")
        await asyncio.sleep(0.05)
        writer.transport.abort()
        done["no_http"] += 1


async def main(web: int, osc_port: int, seconds: float) -> None:
    behaviours = (wrong_messages, wrong_messages, flood, binary, oversized, never_reading)
    tasks = [
        *(asyncio.create_task(flood_osc(osc_port, random.Random(i))) for i in range(3)),
        *(
            asyncio.create_task(visits(web, behave, random.Random(i)))
            for i, behave in enumerate(behaviours)
        ),
        asyncio.create_task(no_http(web, random.Random(9))),
    ]
    over, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in over:
        task.result()  # raises
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    print(json.dumps(done))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
