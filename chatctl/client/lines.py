"""From the bytes of a pipe or a file to lines of text, as they come. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator


def read_lines(read: Callable[[], bytes], limit: int) -> Iterator[list[str]]:
    r"""Yields the lines that came at once, without their ends, ``\n`` or ``\r\n``.

    What is not UTF-8 is replaced.

    Args:
        read: returns some bytes more, none at the end.
        limit: bytes of a line that are of use; one that is longer comes cut, but longer than this.
    """
    tail = b""
    while data := read():
        *whole, tail = (tail + data).split(b"\n")
        if whole:
            yield [_decode(line) for line in whole]
        # One byte more than too long, as the last one may be a carriage return.
        tail = tail[: limit + 2]
    if tail:
        yield [_decode(tail)]


def read_text(read: Callable[[], bytes], limit: int) -> str:
    r"""Returns all of it but for one ``\n`` at the end, lines ended by ``\n``; what is not UTF-8 is replaced.

    Args:
        read: returns some bytes more, none at the end.
        limit: bytes that are of use; what is longer comes cut, but longer than this.
    """
    data = b""
    while len(data) <= 2 * limit + 2 and (more := read()):  # Each line feed may have a carriage return.
        data += more
    return data.decode(errors="replace").replace("\r\n", "\n").removesuffix("\n")


def _decode(line: bytes) -> str:
    return line.removesuffix(b"\r").decode(errors="replace")
