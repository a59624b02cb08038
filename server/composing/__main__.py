"""`python -m server.composing FD SETTINGS`: the composing process, a child of the server."""

from __future__ import annotations

import gc
import logging
import signal
import socket
import sys

from server.base.framing import encode
from server.child.heartbeat import Alive, beating


def main(descriptor: int, argument: str) -> int:
    # The server decides when this ends: it closes the line.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    own_end = socket.socket(fileno=descriptor)
    with beating(own_end, encode(Alive())):
        # What takes long to import comes when the first sign of life is on its way.
        from common.errors import PerpetuoError
        from server.composing.messages import ComposerSettings, RefusalReport
        from server.composing.process import ComposerProcess
        from server.composing.server_connection import ServerConnection, Waker

        waker = Waker()
        connection = ServerConnection(own_end, waker.socket)
        process = None
        try:
            process = ComposerProcess(connection, waker, ComposerSettings.read(argument))
        except PerpetuoError as error:
            connection.report(RefusalReport(0, 0, type(error).__name__, str(error)))
    if process is not None:
        # What was loaded stays: it need not be looked through again and again.
        gc.freeze()
        process.run()
    connection.close()
    return 0 if process is not None else 1


if __name__ == "__main__":
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    sys.exit(main(int(sys.argv[1]), sys.argv[2]))
