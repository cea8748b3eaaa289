"""Lines as people type them: with any line end, and with characters that they rubbed out. No I/O."""

from __future__ import annotations

import re

MAX_LINE = 8_000  # bytes, without its end

_NUL, _BACKSPACE, _LF, _CR, _KILL, _DELETE = 0x00, 0x08, 0x0A, 0x0D, 0x15, 0x7F
_EDITED = re.compile(rb"[\x00\x08\r\x15\x7f]")
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f]")


class TypedLines:
    """Makes lines of the bytes that one client sends, in pieces of any size.

    A line ends with LF, CR LF, CR NUL or CR. Backspace and DEL take back a character, Ctrl-U the line.
    """

    __slots__ = ("_after_return", "_line", "_too_long")

    def __init__(self) -> None:
        self._line = bytearray()
        self._too_long = False
        self._after_return = False

    def feed(self, data: bytes) -> list[str | None]:
        """Returns the lines that `data` ends, without their ends; None for one that is too long."""
        lines: list[str | None] = []
        if self._after_return or _EDITED.search(data):
            for byte in data:
                self._take(byte, lines)
            return lines
        *ended, rest = data.split(b"\n")
        for part in ended:
            self._append(part)
            lines.append(self._end())
        self._append(rest)
        return lines

    def end(self) -> list[str | None]:
        """Returns the line that was begun, if one was."""
        return [self._end()] if self._line or self._too_long else []

    def _take(self, byte: int, lines: list[str | None]) -> None:
        after_return, self._after_return = self._after_return, byte == _CR
        if after_return and byte in (_LF, _NUL):
            return
        if byte in (_LF, _CR):
            lines.append(self._end())
        elif byte in (_BACKSPACE, _DELETE):
            self._rub_out()
        elif byte == _KILL:
            self._line.clear()
            self._too_long = False
        elif byte != _NUL:
            self._append(bytes((byte,)))

    def _append(self, data: bytes) -> None:
        if len(self._line) + len(data) > MAX_LINE:
            self._too_long = True
            self._line.clear()
        if not self._too_long:
            self._line += data

    def _rub_out(self) -> None:
        """Takes back the last character, all its bytes if it is UTF-8."""
        while self._line and 0x80 <= self._line[-1] < 0xC0 and len(self._line) > 1:
            self._line.pop()
        if self._line:
            self._line.pop()

    def _end(self) -> str | None:
        line = None if self._too_long else _text(bytes(self._line))
        self._line.clear()
        self._too_long = False
        return line


def _text(line: bytes) -> str:
    """Returns what a line says; what is not UTF-8, or acts on terminals, is written as an escape."""
    text = line.decode("utf-8", "backslashreplace")
    return text if text.isprintable() else _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
