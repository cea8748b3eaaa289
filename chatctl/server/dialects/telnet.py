"""Telnet's part of a byte stream: commands between the bytes that are typed (RFC 854). No I/O.

Whatever the client offers or asks for is refused, but for what was offered to it: to echo for it while it
types what nobody is to see (RFC 857), which then is echoed by nobody; and what it is asked for: to send bytes
as they are (RFC 856). Some would else take those of other letters for keys of theirs, and drop them.
"""

from __future__ import annotations

from enum import Enum, auto

IAC = 255
DONT, DO, WONT, WILL = 254, 253, 252, 251
BINARY, ECHO = 0, 1
_SUBNEGOTIATION, _END = 250, 240
_COMMANDS = range(_END, IAC)
# A client may have keys for these; typed bytes mean the same.
_TYPED = {247: 0x7F, 248: 0x15}  # erase a character, erase the line
_REFUSALS = {WILL: DONT, DO: WONT}


class _State(Enum):
    typed = auto()
    command = auto()
    option = auto()
    subnegotiation = auto()
    subnegotiation_command = auto()


class Telnet:
    """Takes the commands out of what one client sends, in pieces of any size.

    Attributes:
        negotiates: the client has shown that it knows telnet.
        hides: the client was told not to show what is typed.
    """

    __slots__ = ("_answers", "_state", "_verb", "hides", "negotiates")

    def __init__(self) -> None:
        self._state = _State.typed
        self._verb = 0
        self._answers = bytearray()
        self.hides = False
        self.negotiates = False

    def feed(self, data: bytes) -> bytes:
        """Returns what is typed."""
        if self._state is _State.typed and IAC not in data:
            return data
        typed = bytearray()
        for byte in data:
            self._take(byte, typed)
        return bytes(typed)

    def pending(self) -> bytes:
        """Returns what there is to answer, once."""
        if not self._answers:
            return b""
        answers = bytes(self._answers)
        self._answers.clear()
        return answers

    def hide(self, *, hidden: bool) -> None:
        """Has the client show what is typed, or not; one that knows no telnet always shows it."""
        if hidden is not self.hides and (self.negotiates or not hidden):
            self.hides = hidden
            self._answers += bytes((IAC, WILL if hidden else WONT, ECHO))

    def _take(self, byte: int, typed: bytearray) -> None:
        match self._state:
            case _State.typed:
                if byte == IAC:
                    self._state = _State.command
                else:
                    typed.append(byte)
            case _State.command:
                self._state = self._command(byte, typed)
            case _State.option:
                self._state = _State.typed
                self._option(byte)
            case _State.subnegotiation:
                if byte == IAC:
                    self._state = _State.subnegotiation_command
            case _State.subnegotiation_command:
                self._state = _State.typed if byte == _END else _State.subnegotiation

    def _command(self, byte: int, typed: bytearray) -> _State:
        """Acts on what follows `IAC`; returns what follows that."""
        if byte == IAC:
            typed.append(IAC)
        elif byte not in _COMMANDS:  # It is not telnet.
            typed += bytes((IAC, byte))
        elif byte in (DONT, DO, WONT, WILL):
            self._verb = byte
            return _State.option
        elif byte == _SUBNEGOTIATION:
            return _State.subnegotiation
        elif byte in _TYPED:
            typed.append(_TYPED[byte])
        return _State.typed

    def _option(self, option: int) -> None:
        if not self.negotiates:
            self.negotiates = True
            self._answers += bytes((IAC, DO, BINARY))
        agreed = (self._verb, option) == (WILL, BINARY) or ((self._verb, option) == (DO, ECHO) and self.hides)
        if self._verb in _REFUSALS and not agreed:
            self._answers += bytes((IAC, _REFUSALS[self._verb], option))
