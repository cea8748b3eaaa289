"""Says what a script has to say, and ends when the server has it: the command ``send``."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from chatctl.client.access import Access
from chatctl.client.coming_in import come_in
from chatctl.client.complaint import complain
from chatctl.client.connection import CONNECT_SECONDS, ChatClient
from chatctl.client.events import Disconnected, Event, Reconnected
from chatctl.client.lines import read_lines, read_text
from chatctl.client.scripts.output import Output
from chatctl.client.signals import Interrupted
from chatctl.errors import ChatError, ConnectionFailed, NotInTime, Refused
from chatctl.messages import Ack, Error, Notice
from chatctl.names import check_name, check_room
from chatctl.text import MAX_TEXT, check_text

STDIN = 0
READ_BYTES = 64 * 1024
IN_FLIGHT = 256  # lines that wait for their acks, at most
TOGETHER = 128  # lines that are posted at once, if as many are there

Read = Callable[[], bytes]


class Goal(NamedTuple):
    """Who gets it: those in a room, or one person."""

    room: str
    to: str | None = None


def words(given: Sequence[str]) -> Read:
    """Returns what reads the words of a command line."""
    return iter([" ".join(given).encode(errors="surrogateescape"), b""]).__next__


def reader(path: Path | None) -> Read:
    """Returns what reads a file, or standard input.

    Raises:
        ChatError: it cannot be opened.
    """
    try:
        file = STDIN if path is None else os.open(path, os.O_RDONLY)
    except OSError as error:
        raise ChatError(f"cannot open {path}: {error.strerror}") from None

    def read() -> bytes:
        while True:
            try:
                return os.read(file, READ_BYTES)
            except BlockingIOError:  # Whoever shares it has made it so.
                select.select([file], [], [])

    return read


def send_text(access: Access, goal: Goal, read: Read, timeout: float, *, as_json: bool) -> int:
    """Posts all that is read as one message.

    Args:
        access: where to, and as whom.
        goal: who gets it.
        read: returns some bytes more, none at the end.
        timeout: seconds, connecting included, until it must be acked; reading does not count.
        as_json: prints the ack.

    Returns:
        The exit code.

    Raises:
        Refused: the server does not take it, or never would.
        ConnectionFailed: the server could not be reached, or went away for good.
        NotInTime: it was not acked; perhaps it arrived.
        Interrupted: as NotInTime.
    """
    try:
        text = read_text(read, MAX_TEXT)
    except OSError as error:
        raise _unreadable(error) from None
    check_text(text)
    begun = time.monotonic()
    with _connect(access, goal, min(timeout, CONNECT_SECONDS)) as client:
        sending = Sending(client, goal, timeout, as_json=as_json)
        sending.post(text, None, begun)
        return sending.follow()


def send_lines(access: Access, goal: Goal, read: Read, timeout: float | None, *, as_json: bool) -> int:
    """Posts each line that is not blank as a message, as they come, until they end; as `send_text`.

    Args:
        access: where to, and as whom.
        goal: who gets them.
        read: returns some bytes more, none at the end.
        timeout: seconds that one of them may wait while none is acked; None for as long as it takes.
        as_json: prints the acks.
    """
    with _connect(access, goal, CONNECT_SECONDS) as client:
        sending = Sending(client, goal, timeout, as_json=as_json)
        # A daemon, since nothing wakes a thread that waits for input.
        threading.Thread(target=sending.post_lines, args=(read,), name="lines", daemon=True).start()
        return sending.follow()


def _connect(access: Access, goal: Goal, timeout: float) -> ChatClient:
    if goal.to is not None:
        check_name(goal.to)
    rooms = {check_room(goal.room): None} if goal.to is None else {}
    return come_in(access, rooms, timeout=timeout)


def _unreadable(error: OSError) -> ChatError:
    return ChatError(f"cannot read what is to be sent: {error.strerror}")


class Sending:
    """Posts, and tells what becomes of it.

    Args:
        client: connected; it is closed when all is done.
        goal: who gets it.
        timeout: as in `send_lines`.
        as_json: prints the acks.
    """

    def __init__(self, client: ChatClient, goal: Goal, timeout: float | None, *, as_json: bool) -> None:
        self._client = client
        self._goal = goal
        self._timeout = timeout
        self._output = Output([], as_json=True) if as_json else None
        self._posting = threading.Lock()  # a nonce is noted before its answer is looked at
        self._open: dict[str, int | None] = {}  # by nonce the number of the line, if there are several
        self._waiting_since = 0.0  # for an ack
        self._read = self._posted = 0  # lines
        self._refused = False
        self._unreadable: OSError | None = None
        self._connected = True

    # Posting

    def post(self, text: str, number: int | None, begun: float) -> None:
        """Posts a text.

        Args:
            text: what to say.
            number: of its line, if it is one of several.
            begun: when its time began, on the monotonic clock.

        Raises:
            Refused: it can never be accepted.
            ConnectionFailed: the connection is over.
        """
        if not self._open:
            self._waiting_since = begun
        nonce = self._client.submit(text, self._goal.room, to=self._goal.to)
        self._open[nonce] = number

    def post_lines(self, read: Read) -> None:
        """Posts lines to their end, then leaves; the target of a thread of its own."""
        # Once the connection is over the main thread tells.
        with suppress(ConnectionFailed):
            try:
                self._post_as_they_come(read)
            except OSError as error:
                self._unreadable = error
            if self._client.wait_acked():
                self._end()

    def _post_as_they_come(self, read: Read) -> None:
        first = 1
        for lines in read_lines(read, MAX_TEXT):
            numbered = [(number, line) for number, line in enumerate(lines, first) if line.strip()]
            first += len(lines)
            self._read += len(numbered)
            for start in range(0, len(numbered), TOGETHER):
                part = numbered[start : start + TOGETHER]
                # What is on its way must not grow with what is read.
                if not self._client.wait_acked(IN_FLIGHT - len(part)):
                    return
                self._post_all(part)

    def _post_all(self, part: list[tuple[int, str]]) -> None:
        now = time.monotonic()
        with self._posting:
            for number, line in part:
                try:
                    self.post(line, number, now)
                except Refused as refusal:
                    self._refuse(number, refusal)
                self._posted += 1

    def _end(self) -> None:
        """Leaves without waiting for the answer: all that was to be said was acked or refused."""
        with suppress(ConnectionFailed):
            self._client.leave()
        self._client.close()

    # What becomes of it

    def follow(self) -> int:
        """Waits until all is done; raises what `send_text` raises."""
        try:
            while self._take():
                pass
        except (ChatError, Interrupted):
            self._tell_what_is_left()
            raise
        if self._unreadable:
            raise _unreadable(self._unreadable)
        return Refused.exit_code if self._refused else 0

    def _take(self) -> bool:
        """Looks at what comes next, and what that settles; returns False at the end."""
        try:
            events = self._client.receive(self._left())
        except TimeoutError:
            if self._open and self._left() == 0:
                text = f"the server did not confirm it within {self._timeout:g} s"
                raise NotInTime(text) from None
            return True
        acks = [event for event in events if isinstance(event, Ack)]
        with self._posting:
            for event in events:
                self._see(event)
        if acks and self._output:
            self._output.show(acks)
        return bool(events)

    def _left(self) -> float | None:
        """Returns the seconds until something must have been acked."""
        if self._timeout is None or not self._open:
            return self._timeout
        return max(0.0, self._waiting_since + self._timeout - time.monotonic())

    def _see(self, event: Event) -> None:
        match event:
            case Ack():
                self._settle(event.nonce)
            case Error(nonce=str(nonce)):
                self._refuse(self._settle(nonce), Refused(event.code, event.text))
            case Error():
                raise Refused(event.code, event.text)  # It was not let into the room.
            case Disconnected():
                if self._connected:
                    complain(f"{event.text}; what is to be sent waits until the server is back")
                self._connected = False
            case Reconnected():
                complain("the server is back")
                self._connected = True
            case Notice():
                complain(event.text)

    def _settle(self, nonce: str) -> int | None:
        """Notes that something was acked or refused; returns the number of its line."""
        if nonce not in self._open:
            return None
        self._waiting_since = time.monotonic()
        number = self._open.pop(nonce)
        if number is None:
            self._end()
        return number

    def _refuse(self, number: int | None, refusal: Refused) -> None:
        if number is None:
            raise refusal
        self._refused = True
        complain(f"line {number}: {refusal}")

    def _tell_what_is_left(self) -> None:
        """Tells how much was not delivered, and how much perhaps, since it was sent and not confirmed."""
        self._client.close()
        with suppress(ConnectionFailed):
            while self._client.receive():
                pass
        nonces = list(self._client.unacked)
        perhaps = sum(map(self._client.was_sent, nonces))
        lost = len(nonces) - perhaps + self._read - self._posted
        told = [f"{lost} not delivered"] * bool(lost) + [f"{perhaps} perhaps not delivered"] * bool(perhaps)
        if told:
            complain(f"messages: {', '.join(told)}")
