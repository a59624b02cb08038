"""`python -m server.audio FD SETTINGS`: the process that makes sound, a child of the server."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import sys

from server.child.heartbeat import Alive, beating
from server.composing.framing import encode

NICENESS = 2  # after the server itself, before composing: seconds of sound are always ahead


def main(descriptor: int, argument: str) -> int:
    # The server decides when this ends: it closes the line.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.nice(NICENESS)
    connection = socket.socket(fileno=descriptor)
    with beating(connection, encode(Alive())):
        # What takes long to import comes when the first sign of life is on its way.
        from engine.errors import PerpetuoError
        from server.audio.line import Line
        from server.audio.messages import Ready, Settings, Unable
        from server.audio.process import Process

        line = Line(connection)
        process, unable = None, ""
        try:
            process = Process(line, Settings.read(argument))
        except PerpetuoError as error:
            unable = str(error)
    if process is None:
        line.report(Unable(unable))
    else:
        gc.freeze()
        line.report(Ready(os.getpid()))
        process.run()
    line.close()
    return 0 if process is not None else 1


if __name__ == "__main__":
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    sys.exit(main(int(sys.argv[1]), sys.argv[2]))
