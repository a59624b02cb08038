"""A child of the tests: `child_script.py FD FOLDER` behaves as the file `mode` in that folder says,
and notes its id in `starts`. It imports next to nothing, so that it says something at once."""

import os
import socket
import sys
import time

ALIVE = b"\x81\xa4type\xa5alive"

line = socket.socket(fileno=int(sys.argv[1]))
folder = sys.argv[2]
with open(f"{folder}/mode", encoding="ascii") as file:
    mode = file.read()
with open(f"{folder}/ready", "rb") as file:
    ready = file.read()
with open(f"{folder}/starts", "a", encoding="ascii") as file:
    file.write(f"{os.getpid()}\n")


def say(content: bytes) -> None:
    line.sendall(len(content).to_bytes(4, "big") + content)


def beat() -> None:
    """Until nobody listens any more; reads nothing."""
    while True:
        say(ALIVE)
        time.sleep(0.1)


try:
    match mode:
        case "silent":
            line.recv(1)  # until the line ends
        case "loading":
            beat()
        case "dies":
            say(ALIVE)
        case "garbage":
            say(ALIVE)
            say(b"nonsense")
            beat()
        case "works":
            say(ALIVE)
            line.sendall(ready)
            beat()
        case "silent after":
            line.sendall(ready)
            line.recv(1)
        case "garbage after":
            line.sendall(ready)
            time.sleep(0.3)  # or it would not be understood from its first word on
            line.sendall(b"\xff" * 64)
            line.recv(1)
        case "dies after":
            line.sendall(ready)
except OSError:
    pass
