"""What is told to the one who started a program, beside what it prints. Quick to import."""

from __future__ import annotations

import sys
from contextlib import suppress

from chatctl.text import one_line

STDERR = 2


def complain(text: str) -> None:
    """Tells in one line, on standard error, what was not done, or what happened meanwhile.

    That nobody reads it, or that the disk below it is full, ends nothing and changes no exit code. There is
    no buffer, as what stayed in it would fail again when Python ends.
    """
    encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
    line = f"chatctl: {one_line(text)}\n".encode(encoding, "backslashreplace")
    # Not os.write, which a console of Windows takes for its old code page.
    with suppress(OSError), open(STDERR, "wb", buffering=0, closefd=False) as stream:
        stream.write(line)
