"""`python -m server.composing FD SETTINGS`: the composing process, a child of the server."""

from __future__ import annotations

import gc
import logging
import signal
import socket
import sys

from engine.errors import PerpetuoError
from server.composing.bell import Bell
from server.composing.line import Line
from server.composing.messages import Refused
from server.composing.process import Process
from server.composing.settings import Settings


def main(descriptor: int, settings: Settings) -> int:
    # The server decides when this ends: it closes the line.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    bell = Bell()
    line = Line(socket.socket(fileno=descriptor), bell.ear)
    try:
        process = Process(line, bell, settings)
    except PerpetuoError as error:
        line.report(Refused(0, 0, type(error).__name__, str(error)))
        line.close()
        return 1
    # What was loaded stays: it need not be looked through again and again.
    gc.freeze()
    process.run()
    line.close()
    return 0


if __name__ == "__main__":
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    sys.exit(main(int(sys.argv[1]), Settings.read(sys.argv[2])))
