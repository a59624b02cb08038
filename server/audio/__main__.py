"""`python -m server.audio FD SETTINGS`: the process that makes sound, a child of the server."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
import sys

from server.base.framing import encode
from server.child.heartbeat import Alive, beating

NICENESS = 2  # after the server itself, before composing: seconds of sound are always ahead


def main(descriptor: int, argument: str) -> int:
    # The server decides when this ends: it closes the line.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.nice(NICENESS)
    own_end = socket.socket(fileno=descriptor)
    with beating(own_end, encode(Alive())):
        # What takes long to import comes when the first sign of life is on its way.
        from common.errors import PerpetuoError
        from server.audio.messages import SoundReady, SoundSettings, SoundUnable
        from server.audio.process import SoundProcess
        from server.audio.server_connection import SoundServerConnection

        connection = SoundServerConnection(own_end)
        process, unable = None, ""
        try:
            process = SoundProcess(connection, SoundSettings.read(argument))
        except PerpetuoError as error:
            unable = str(error)
    if process is None:
        connection.report(SoundUnable(unable))
    else:
        gc.freeze()
        connection.report(SoundReady(os.getpid()))
        process.run()
    connection.close()
    return 0 if process is not None else 1


if __name__ == "__main__":
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    sys.exit(main(int(sys.argv[1]), sys.argv[2]))
