"""Prints the chords of a stream and makes its music thinner and denser, bar by bar.

python follow.py [ws://127.0.0.1:8770]
"""

import asyncio
import sys
from itertools import cycle

from perpetuo_client import connect

DENSITIES = cycle([2, 3, 4, 5, 4, 3])


async def main(address: str = "ws://127.0.0.1:8770", *, bars: int | None = None) -> None:
    async with connect(address) as server:
        stream = await server.open(preset="study", seed=7)
        async for bar in stream:
            print(f"{bar.index:4}  {bar.key:9} {' '.join(filter(None, bar.chords))}")
            if bar.index % 4 == 0:
                heard = await stream.steer(density=next(DENSITIES))
                print(f"      density {stream.controls['density']} from bar {heard.bar} on")
            if bar.index + 1 == bars:
                break


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:2]))
