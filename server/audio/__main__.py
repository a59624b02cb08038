"""`python -m server.audio FD SETTINGS`: the process that makes sound, a child of the server."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import sys

from engine.errors import PerpetuoError
from server.audio.line import Line
from server.audio.messages import Ready, Settings, Unable
from server.audio.process import Process

NICENESS = 2  # after the server itself, before composing: seconds of sound are always ahead


def main(descriptor: int, settings: Settings) -> int:
    # The server decides when this ends: it closes the line.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.nice(NICENESS)
    line = Line(socket.socket(fileno=descriptor))
    try:
        process = Process(line, settings)
    except PerpetuoError as error:
        line.report(Unable(str(error)))
        line.close()
        return 1
    gc.freeze()
    line.report(Ready(os.getpid()))
    process.run()
    line.close()
    return 0


if __name__ == "__main__":
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    sys.exit(main(int(sys.argv[1]), Settings.read(sys.argv[2])))
