"""The chat without an input line: where standard input or standard output is no terminal.

One thread reads what is to be said, the main thread what the others say. What is piped in is said literally;
what is typed (``chatctl join | tee log``) may be a command.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from itertools import chain
from pathlib import Path

from chatctl import commands
from chatctl.client.complaint import complain
from chatctl.client.display.screen import choose_paint, is_terminal
from chatctl.client.display.shown import Failed
from chatctl.client.events import CaughtUp, Disconnected, Event, Reconnected
from chatctl.client.lines import read_lines
from chatctl.client.signals import BROKEN_PIPE
from chatctl.client.terminal.asking import Question
from chatctl.client.terminal.conversation import Conversation, exported
from chatctl.client.terminal.hidden import HiddenInput
from chatctl.commands import UsageError
from chatctl.errors import ChatError, ConnectionFailed, DataError, Refused
from chatctl.messages import Ack, Error, Frame, Notice
from chatctl.text import MAX_TEXT

READ_BYTES = 64 * 1024
IN_FLIGHT = 64  # posts sent before the first of them is acked


class Pipe:
    """Line mode.

    Args:
        conversation: connected.
        typed: someone types the lines: commands work, what they say is shown in its place, and a line that
            is refused is no failure.
        plain: no colours and no cursor are moved, also where standard output is a terminal.
    """

    def __init__(self, conversation: Conversation, *, typed: bool, plain: bool = False) -> None:
        self._conversation = conversation
        self._client = conversation.client
        self._typed = typed
        self._echoes = typed and not is_terminal(sys.stdout)  # what one says oneself stands nowhere else
        self._paint = choose_paint(lambda: conversation.look, plain=plain)
        self._lock = threading.Lock()  # guards the conversation and standard output
        self._refused = False
        self._hidden = HiddenInput()
        self._unwritable: OSError | None = None

    def run(self) -> int:
        """Says every line, and shows what the others say, until the lines end or the server goes.

        Returns:
            The exit code: 1 if something was not said.

        Raises:
            ChatError: the server went away, or standard output takes no more.
        """
        # A daemon, since nothing wakes a thread that waits for input. It reads by os.read, so that it holds
        # no lock of sys.stdin when the interpreter ends.
        threading.Thread(target=self._say_all, name="stdin", daemon=True).start()
        try:
            self._show(self._client.welcome)
            for event in self._client.events():
                self._receive(event)
        except ConnectionFailed:
            for line in self._conversation.undelivered():
                complain(line)
            raise
        finally:
            self._hidden.restore()
            self._save(now=True)
        if self._unwritable and not isinstance(self._unwritable, BrokenPipeError):
            raise ChatError(f"cannot write: {self._unwritable.strerror}")
        return BROKEN_PIPE if self._unwritable else int(self._refused)

    # Showing

    def _receive(self, event: Event) -> None:
        with self._lock:
            for shown in self._conversation.receive(event):
                if isinstance(event, Disconnected | Reconnected | CaughtUp) and isinstance(shown, Notice):
                    complain(shown.text)
                elif isinstance(shown, Error):
                    self._refuse(shown.text)
                elif isinstance(shown, Failed):
                    self._refuse(f"{shown.reason}; not delivered: {shown.text}")
                elif self._echoes or not isinstance(event, Ack):
                    self._show(shown)
        self._save()

    def _save(self, *, now: bool = False) -> None:
        try:
            self._conversation.save(now=now)
        except DataError as error:
            complain(str(error))

    def _show(self, event: Frame) -> None:
        if sys.stdout is None or self._unwritable:
            return
        try:
            sys.stdout.write(self._paint(event, self._conversation.view))
            sys.stdout.flush()
        except OSError as error:
            self._unwritable = error
            # What is still buffered would be tried again, and fail with a traceback, when Python ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            self._client.close()

    def _refuse(self, text: str) -> None:
        self._refused = not self._typed
        complain(text)

    # Saying

    def _say_all(self) -> None:
        """Says what standard input holds, then leaves; the target of its thread."""
        # Once the connection is over the main thread tells; there is nobody to say anything to.
        with suppress(ConnectionFailed):
            lines = chain.from_iterable(read_lines(_read_stdin, MAX_TEXT))
            for number, line in enumerate(lines, 1):
                # What the thread has ready must not grow with what is piped in.
                if not self._client.wait_acked(IN_FLIGHT - 1) or not self._take(number, line):
                    break
            self._client.wait_acked()
            self._client.leave()

    def _take(self, number: int, line: str) -> bool:
        """Says or does what is in line `number`; returns whether to go on."""
        try:
            if self._typed:
                return self._perform(line)
            if line:
                self._client.post(line, self._conversation.here())
        except (UsageError, Refused, DataError) as error:
            self._refuse(str(error) if self._typed else f"line {number}: {error}")
        return True

    def _perform(self, line: str) -> bool:
        action = commands.parse(line)
        match action:
            case commands.Quit():
                return False
            case commands.Export(path):
                self._export(Path(path))
            case commands.Register() | commands.Login():
                self._ask(Question(action, self._conversation.name))
            case commands.Clear() | None:
                pass
            case _:
                with self._lock:
                    for shown in self._conversation.perform(action):
                        self._show(shown)
        return True

    def _ask(self, question: Question) -> None:
        """Has a password typed, and sends what it is for."""
        frame = None
        while frame is None:
            frame = question.answer(self._hidden.ask(question.prompt))
        self._client.send(frame)

    def _export(self, path: Path) -> None:
        from chatctl.client.terminal.exporting import export_room

        with self._lock:
            room = self._conversation.here()
            topic = self._conversation.topic(room)
        count = export_room(self._client, room, path, topic)
        with self._lock:
            self._show(Notice(exported(count, room, path)))


def _read_stdin() -> bytes:
    return os.read(sys.stdin.fileno(), READ_BYTES) if sys.stdin is not None else b""
