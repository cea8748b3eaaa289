"""Plain text, for people at nc and telnet, and for scripts that have nothing else.

They are asked who they are; from then on a line is a message, or a command as the terminal client has them.
What one says oneself is not sent back. What they are shown is a matter of `wording`.
"""

from __future__ import annotations

from collections import deque

from chatctl import commands
from chatctl.commands import Action, UsageError, help_text, parse
from chatctl.errors import Refused
from chatctl.framing import Fault
from chatctl.messages import HANDSHAKE_SECONDS, LOBBY, Bye, ClientFrame, Error, Join, Part
from chatctl.names import check_room
from chatctl.server.dialects import wording
from chatctl.server.dialects.dialect import Client, Frames
from chatctl.server.dialects.questions import ComingIn, LoggingIn, Question, Registering, leaves
from chatctl.server.dialects.requests import MISSING, request_of
from chatctl.server.dialects.telnet import Telnet
from chatctl.server.dialects.typed import MAX_LINE, TypedLines

SECONDS_TO_TYPE = 60.0  # in which whoever has begun to answer has to be in

_TOO_LONG = Fault("too-long", f"a line has at most {MAX_LINE} bytes", fatal=False)


class Plain:
    """One client's end of it."""

    __slots__ = (
        *("_client", "_coming_in", "_lines", "_prompted", "_question", "_room", "_said", "_telnet"),
        *("_typed", "_waiting", "_wanted", "_wants_help", "seconds"),
    )
    encode = staticmethod(wording.encode)
    answers_pings = False

    def __init__(self) -> None:
        self.seconds = HANDSHAKE_SECONDS
        self._telnet = Telnet()
        self._typed = TypedLines()
        self._lines: deque[str | None] = deque()
        self._client: Client | None = None
        self._coming_in = ComingIn()
        self._question: Question | None = self._coming_in
        self._prompted = False
        self._waiting = False  # for the server to have looked at the hello
        self._said = ""  # what is pending
        self._wants_help = False
        self._room = LOBBY  # that is talked in
        self._wanted: list[str] = []  # that were talked in since the last `feed`, in order

    def feed(self, data: bytes) -> Frames:
        """Returns what is asked for by the lines that `data` ends."""
        self._settle_room()
        if data:
            self.seconds = SECONDS_TO_TYPE
            self._lines += self._typed.feed(self._telnet.feed(data))
        elif not self._telnet.negotiates:  # A person at telnet who goes in the middle of a line said nothing.
            self._lines += self._typed.end()
        return self._read()

    def pending(self) -> bytes:
        """Returns what is asked, and what telnet answers."""
        if self._question and not self._waiting and not self._prompted:
            self._prompted = True
            self._said += self._question.prompt
            self._telnet.hide(hidden=self._question.is_secret)
        if self._wants_help and self._client:
            self._wants_help = False
            self._said += wording.notes(help_text(self._client.role, MISSING))
        said, self._said = self._said, ""
        return self._telnet.pending() + said.encode()

    def admitted(self, client: Client) -> Frames:
        """Returns what came behind what was asked."""
        self._client = client
        self._question = None
        self._waiting = False
        return self._read()

    def refused(self, error: Error) -> Frames | None:
        """Asks again, unless that was done often enough, or does not help."""
        if not self._coming_in.refused(error):
            return None
        self._waiting = False
        if self._coming_in.asks_name:
            self._drop_lines()
        words = wording.notes if error.code == "auth-required" else wording.refusal
        self._said += words(error.text)
        return self._read()

    def farewell(self, ending: Error | Bye) -> bytes:
        """Returns the last line."""
        if ending.code == "bye":
            return wording.notes(ending.text).encode()
        return wording.encode([ending])

    # What is typed

    def _read(self) -> list[ClientFrame | Fault]:
        frames: list[ClientFrame | Fault] = []
        while self._lines and not self._waiting:
            line = self._lines.popleft()
            if frame := self._answer(line) if self._question else self._act(line):
                frames.append(frame)
        return frames

    def _answer(self, line: str | None) -> ClientFrame | Fault | None:
        """Acts on the answer to what is asked."""
        assert self._question is not None
        self._hide_no_more()
        frame = self._question.answer(line or "")
        if self._client is None:
            self._waiting = frame is not None
        elif frame is not None:
            self._question = None
        return frame

    def _hide_no_more(self) -> None:
        self._prompted = False
        if self._telnet.hides:
            self._telnet.hide(hidden=False)
            self._said += "\r\n"  # The one that was typed was not shown, and LF alone stays in the column.

    def _drop_lines(self) -> None:
        """Forgets what was to be said by a name that is refused: it is no name. Who goes then still goes."""
        while self._lines and not leaves(self._lines[0] or ""):
            self._lines.popleft()

    def _act(self, line: str | None) -> ClientFrame | Fault | None:
        if line is None:
            return _TOO_LONG
        try:
            action = parse(line)
            return self._perform(action) if action else None
        except (Refused, UsageError) as error:
            return Fault(error.code, str(error), fatal=False)

    def _perform(self, action: Action) -> ClientFrame | None:
        """Returns what asks for `action`; None if nothing needs to be asked for yet."""
        match action:
            case commands.Help():
                self._wants_help = True
            case commands.Login(name):
                self._question = LoggingIn(name or None)
            case commands.Register():
                self._question = Registering()
            case commands.Join(room):
                return self._join(check_room(room))
            case commands.Part(room):
                return self._part(check_room(room) if room else self._room)
            case commands.Topic(""):
                return Join(self._room)  # Which shows it, to whoever is in the room.
            case _:
                return request_of(action, self._room)
        return None

    # The room that is talked in

    def _join(self, room: str) -> Join:
        self._wanted = [*(self._wanted or [self._room]), room]
        self._room = room
        return Join(room)

    def _part(self, room: str) -> Part:
        if room == self._room:
            self._wanted.clear()
            self._room = LOBBY
        return Part(room)

    def _settle_room(self) -> None:
        """Goes back to the last room they were let into, once all that was asked for is acted on."""
        if self._client and self._wanted:
            entered = [room for room in self._wanted if room in self._client.rooms]
            self._room = entered[-1] if entered else self._room
            self._wanted = []
