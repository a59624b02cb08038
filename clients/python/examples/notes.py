"""Prints every note of a server's first station at the moment when it sounds.

python notes.py [ws://127.0.0.1:8770]
"""

import asyncio
import sys
import time

from perpetuo_client import connect


async def main(address: str = "ws://127.0.0.1:8770", *, bars: int | None = None) -> None:
    async with connect(address) as server:
        stream = await server.listen()
        heard = 0
        async for bar in stream:
            for note, begins, ends in server.local_notes(bar):
                if note.goes_on_from_before:
                    continue  # it sounds already
                await asyncio.sleep(begins - time.monotonic())
                print(f"part {note.part}  pitch {note.pitch:3}  {ends - begins:5.2f} s")
            heard += 1
            if heard == bars:
                break


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:2]))
