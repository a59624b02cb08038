"""Prints in which bar each change of a stream is heard, also when the server postpones one.

python changes.py [ws://127.0.0.1:8770]
"""

import asyncio
import sys
from itertools import cycle

from perpetuo_client import Postponed, connect

KEYS = cycle(["C major", "A minor", "D dorian", "G major"])


async def main(address: str = "ws://127.0.0.1:8770", *, bars: int | None = None) -> None:
    async with connect(address) as server:
        stream = await server.listen()

        def later(postponed: Postponed) -> None:
            print(f"      change {postponed.change} comes later: from bar {postponed.bar} on")

        stream.watch_postponed(later)
        heard = None
        given = 0
        async for bar in stream:
            if heard is None or bar.index > stream.latest(heard).bar:
                heard = await stream.steer(key=next(KEYS))
                kept = "" if heard.saved is not False else ", not on the server's disk yet"
                print(f"      change {heard.change}: from bar {heard.bar} on{kept}")
            print(f"{bar.index:4}  {bar.key}")
            given += 1
            if given == bars:
                break


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:2]))
