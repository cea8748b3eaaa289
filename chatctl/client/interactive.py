"""The chat on a terminal: a line being typed at the bottom, which stays whole while others speak.

All runs in one event loop, in the main thread; only the wait for the server is in a thread of its own. The
input line is one prompt that lasts as long as the chat: with a new one for each line, what comes or is typed
between two of them would be lost or torn.
"""

from __future__ import annotations

import asyncio
import math
import signal
import time
from collections.abc import Iterable
from contextlib import suppress

from prompt_toolkit import PromptSession
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import has_focus
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import Output, create_output
from prompt_toolkit.output.vt100 import Vt100_Output

from chatctl import commands
from chatctl.client.conversation import Conversation
from chatctl.client.events import Disconnected
from chatctl.client.render import room_label
from chatctl.client.screen import TerminalPainter
from chatctl.commands import UsageError
from chatctl.errors import ConnectionFailed, Refused
from chatctl.messages import Error, Frame, Notice

SILENT_SECONDS = 0.7  # of leaving, before it is told why that takes so long
LEAVE_SECONDS = 3.0  # for the server to ack what was said last, and to answer the bye
PROMPT_ROOM = 12  # characters of a room in the prompt
EVENTS_AT_ONCE = 100  # shown before the input line is drawn again, and keys are looked at
TICK = 0.5  # seconds between two looks at the clock while the prompt counts down
PAUSE = 0.02  # seconds for that; twice what prompt_toolkit may wait before it draws


class Interactive:
    """The terminal's side of a conversation.

    Args:
        conversation: connected.
    """

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._client = conversation.client
        self._output = _make_output()
        self._paint = TerminalPainter(lambda: self._output.get_size().columns)
        self._next_try = 0.0  # to reach the server again, on the monotonic clock
        self._warned = False  # the next Ctrl-C on the empty line leaves
        self._session: PromptSession[int] = PromptSession(
            self._prompt,
            output=self._output,
            key_bindings=self._bindings(),
            erase_when_done=True,
            enable_suspend=True,
        )
        self._buffer = self._session.default_buffer
        self._buffer.accept_handler = self._enter
        self._buffer.on_text_changed += self._forget_warning

    def run(self) -> int:
        """Lasts until one side leaves.

        Returns:
            The exit code.

        Raises:
            ConnectionFailed: the server went away.
        """
        return asyncio.run(self._converse())

    async def _converse(self) -> int:
        for number in (signal.SIGTERM, signal.SIGHUP):
            # The default would leave the terminal as the prompt has it, without echo.
            asyncio.get_running_loop().add_signal_handler(number, self._finish, 128 + number)
        # What was typed while connecting stands here as an echo; the input line will show it.
        self._output.write_raw("\r")
        self._output.erase_end_of_line()
        self._show([self._client.welcome])
        following = asyncio.create_task(self._follow())
        typing = asyncio.create_task(self._type())
        ticking = asyncio.create_task(self._tick())
        try:
            await asyncio.wait({following, typing}, return_when=asyncio.FIRST_COMPLETED)
            if typing.done():
                await self._leave(following)
                return typing.result()
            await self._give_up(typing)
            following.result()
            return 0
        finally:
            ticking.cancel()
            # Wakes the thread that waits for the server: the loop joins it.
            self._client.close()

    async def _type(self) -> int:
        """Takes what is typed; returns the exit code once the person wants to leave."""
        try:
            return await self._session.prompt_async()
        except EOFError:  # Ctrl-D, or the terminal is gone.
            return 0

    async def _tick(self) -> None:
        """Keeps the prompt true while it counts down."""
        while True:
            await asyncio.sleep(TICK)
            if not self._conversation.connected:
                self._session.app.invalidate()

    async def _follow(self) -> None:
        """Shows what comes until the connection ends."""
        while events := await asyncio.to_thread(self._client.receive):
            for start in range(0, len(events), EVENTS_AT_ONCE):
                some = events[start : start + EVENTS_AT_ONCE]
                for event in some:
                    if isinstance(event, Disconnected):
                        self._next_try = time.monotonic() + event.seconds
                self._show(shown for event in some for shown in self._conversation.receive(event))
                # Else, with much to show, the input line would be erased again before it is drawn.
                await asyncio.sleep(PAUSE)

    # Ending

    def _finish(self, code: int) -> None:
        """Ends the prompt, if it is there."""
        app = self._session.app
        if app.is_running and not app.is_done:
            app.exit(result=code)

    async def _leave(self, following: asyncio.Task[None]) -> None:
        """Says bye, and waits until what was said before has arrived, if there is a line to the server."""
        if self._conversation.connected:
            with suppress(ConnectionFailed, Refused):
                self._client.leave()
            done, _ = await asyncio.wait({following}, timeout=SILENT_SECONDS)
            if not done and self._client.unacked:
                self._show([Notice("waiting for the server to take what you said; Ctrl-C ends at once")])
            with suppress(ConnectionFailed, TimeoutError):
                await asyncio.wait_for(following, LEAVE_SECONDS)
        self._tell_undelivered()

    async def _give_up(self, typing: asyncio.Task[int]) -> None:
        """Ends the prompt, since there is no connection any more, and says what was in vain."""
        unsent = self._buffer.text
        if self._session.app.is_running:
            self._finish(1)
        else:
            typing.cancel()
        await asyncio.wait({typing})
        self._tell_undelivered()
        if unsent.strip():
            self._show([Error(code="internal", text=f"not sent: {unsent}")])

    def _tell_undelivered(self) -> None:
        self._show(Error(code="internal", text=line) for line in self._conversation.undelivered())

    # Showing

    def _show(self, events: Iterable[Frame]) -> None:
        self._write("".join(self._paint(event, self._conversation.view) for event in events))

    def _write(self, text: str) -> None:
        """Writes whole lines above the input line."""
        app = self._session.app
        if text and app.is_running:
            app.renderer.erase()
        if text:
            self._output.enable_autowrap()
            self._output.write_raw(text)
            self._output.flush()
        # The prompt may have changed even where nothing is written.
        app.invalidate()

    def _prompt(self) -> str:
        room = self._conversation.room
        where = room_label(room if len(room) <= PROMPT_ROOM else f"{room[: PROMPT_ROOM - 1]}…")
        return f"{where if room else '(no room)'}{self._state()}> "

    def _state(self) -> str:
        """Returns what the prompt says of the connection: nothing, as long as there is one."""
        if self._conversation.connected:
            return ""
        waiting = len(self._client.unacked)
        what = f", {waiting} to send" if waiting else ""
        left = math.ceil(self._next_try - time.monotonic())
        return f" (reconnecting in {left} s{what})" if left > 0 else f" (connecting…{what})"

    # Typing

    def _enter(self, buffer: Buffer) -> bool:
        """Acts on a line; returns whether it stays in the input line."""
        if not buffer.text and not self._conversation.connected:
            self._next_try = 0.0
            self._client.retry_now()
        # Where there is no connection any more, whoever reads from it finds that out, and ends the prompt.
        with suppress(ConnectionFailed):
            try:
                self._perform(commands.parse(buffer.text.rstrip("\n")))
            except (UsageError, Refused) as error:
                self._show([Error(code=error.code, text=str(error))])
        return False

    def _perform(self, action: commands.Action | None) -> None:
        if isinstance(action, commands.Quit):
            self._finish(0)
        elif isinstance(action, commands.Clear):
            self._session.app.renderer.clear()
        elif action is not None:
            self._show(self._conversation.perform(action))

    def _bindings(self) -> KeyBindings:
        bindings = KeyBindings()
        typing = has_focus(DEFAULT_BUFFER)
        bindings.add("c-c", filter=typing)(self._interrupt)
        bindings.add("<sigint>")(self._interrupt)
        bindings.add("tab", filter=typing)(self._complete)
        return bindings

    def _interrupt(self, _event: KeyPressEvent) -> None:
        """Ctrl-C: clears the line; on the empty line, twice leaves."""
        if self._buffer.text:
            self._buffer.reset()
        elif self._warned:
            self._finish(0)
        else:
            self._warned = True
            self._show([Notice("Ctrl-C again leaves")])

    def _forget_warning(self, _buffer: Buffer) -> None:
        self._warned = False

    def _complete(self, _event: KeyPressEvent) -> None:
        """Tab: completes the last word as far as that is sure, else shows what it may become."""
        conversation = self._conversation
        line = self._buffer.document.text_before_cursor
        found = commands.complete(line, conversation.names, conversation.rooms)
        typed = len(line) - found.start
        if len(found.choices) > 1 and len(found.common) <= typed:
            self._show([Notice("  ".join(found.choices))])
        elif found.common:
            self._buffer.delete_before_cursor(typed)
            self._buffer.insert_text(found.common)


def _make_output() -> Output:
    output = create_output()
    if isinstance(output, Vt100_Output):
        # Asking the terminal where its cursor is buys nothing here, and some never answer.
        output.enable_cpr = False
    return output
