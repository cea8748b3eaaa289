"""A ``chatctl`` for shells that has itself forked: ``python -IS forking_command.py SOCKET ARGS...``."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys


def main(path: str, *args: str) -> int:
    """Returns the exit code of what was forked."""
    request = {
        "args": args,
        "env": dict(os.environ),
        "cwd": os.getcwd(),  # noqa: PTH109 - pathlib takes as long to import as all else here
        "session": False,
        "terminal": False,
    }
    try:
        for number in (0, 1, 2):
            os.fstat(number)
    except OSError:  # It is closed; the socket would take its place.
        os.execv(sys.executable, [sys.executable, "-m", "chatctl", *args])
    with socket.socket(socket.AF_UNIX) as forge:
        forge.connect(path)
        socket.send_fds(forge, [b"f"], [0, 1, 2])
        os.closerange(0, 2)
        forge.sendall(json.dumps(request).encode() + b"\n")
        with forge.makefile("r") as lines:
            _, code = int(lines.readline()), int(lines.readline())
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


if __name__ == "__main__":
    os._exit(main(*sys.argv[1:]))
