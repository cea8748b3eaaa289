"""The servers that were met before, and by which keys they are known: a file that people can read and mend.

::

    # chatctl: the servers met so far, each with the SHA-256 of its public key
    chat.example.org:12345 SHA256:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from chatctl.address import join_address
from chatctl.client.directories import shown
from chatctl.client.private import alone, write
from chatctl.errors import DataError
from chatctl.text import one_line

HEADING = "# chatctl: the servers met so far, each with the SHA-256 of its public key"
MARK = "SHA256:"


class Known(NamedTuple):
    """By what a server is known: its pin, as `tls.pin_of` returns it, and the line that says so."""

    pin: str
    line: int


class KnownHosts:
    """A file of servers; it is made when the first one is met.

    Args:
        path: of the file.
        adds: servers that are met are added; else nobody is trusted at first sight.
    """

    def __init__(self, path: Path, *, adds: bool = True) -> None:
        self.path = path
        self.adds = adds

    def __str__(self) -> str:
        """Returns where the file is, as it is told to people: in one line, and from their home on."""
        return shown(self.path)

    def find(self, host: str, port: int) -> Known | None:
        """Returns by what a server is known, if it is; a line that was damaged is a key that nobody has.

        Raises:
            DataError: the file cannot be read.
        """
        for number, line in enumerate(self._lines(), 1):
            if _named(line) == _server(host, port):
                return Known(line.strip().partition(" ")[2].strip().removeprefix(MARK), number)
        return None

    def remember(self, host: str, port: int, pin: str) -> None:
        """Notes by what a server is known from now on; other lines stay as they are.

        Raises:
            DataError: the file cannot be read or written.
        """
        path = Path(os.path.realpath(self.path))
        with suppress(OSError):  # Whatever is wrong there, writing will tell.
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with alone(path.parent):
            known = self.find(host, port)
            if known is None or known.pin != pin:
                self._replace(path, _server(host, port), pin)

    def _replace(self, path: Path, server: str, pin: str) -> None:
        lines = [line for line in self._lines() if _named(line) != server]
        lines = [*(lines or [HEADING]), f"{server} {MARK}{pin}"]
        write(path, "".join(f"{line}\n" for line in lines).encode(errors="surrogateescape"))

    def _lines(self) -> list[str]:
        try:
            text = self.path.read_bytes().decode(errors="surrogateescape")
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise DataError(f"cannot read {self}: {error.strerror}") from None
        return text.removesuffix("\n").split("\n") if text else []


def _server(host: str, port: int) -> str:
    """Returns what a server is called in the file: in one word, as it may have come with a link."""
    return one_line(join_address(host.lower(), port)).replace(" ", "\\x20")


def _named(line: str) -> str:
    return line.strip().partition(" ")[0]
