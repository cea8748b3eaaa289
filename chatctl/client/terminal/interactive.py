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
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.clipboard import InMemoryClipboard
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.styles import BaseStyle, DynamicStyle, Style

from chatctl import commands
from chatctl.client.display.themes import palette, prompt_styles
from chatctl.client.events import Disconnected, Event
from chatctl.client.terminal import keys, prompt
from chatctl.client.terminal.alerts import Alerts
from chatctl.client.terminal.asking import CANCELLED, Question
from chatctl.client.terminal.canvas import Canvas
from chatctl.client.terminal.conversation import Conversation, exported
from chatctl.client.terminal.typed import Typed
from chatctl.commands import UsageError
from chatctl.errors import ChatError, ConnectionFailed, DataError, Refused
from chatctl.messages import Ack, Error, Frame, Notice

SILENT_SECONDS = 0.7  # of leaving, before it is told why that takes so long
LEAVE_SECONDS = 3.0  # for the server to ack what was said last, and to answer the bye
SHOWING_SECONDS = 0.015  # that drawing may take before the input line is drawn again, and keys are looked at
TICK = 0.5  # seconds between two looks at the clock
PAUSE = 0.02  # seconds for that; twice what prompt_toolkit may wait before it draws


class Interactive:
    """The terminal's side of a conversation.

    Args:
        conversation: connected.
        typed: what was typed in earlier runs.
    """

    def __init__(self, conversation: Conversation, typed: Typed) -> None:
        self._conversation = conversation
        self._client = conversation.client
        self._next_try = 0.0  # to reach the server again, on the monotonic clock
        self._patience = prompt.Patience()
        self._settled: set[str] = set()  # nonces of `unacked` whose answer was shown
        self._warned = False  # the next Ctrl-C on the empty line leaves
        self._question: Question | None = None  # what is typed is a password
        self._canvas = Canvas(lambda: conversation.look)
        self._alerts = Alerts(self._canvas.abilities)
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: PromptSession[int] = PromptSession(
            self._prompt,
            output=self._canvas.output,
            history=typed,
            style=DynamicStyle(self._style),
            key_bindings=keys.bindings(self),
            is_password=Condition(lambda: self.is_asking),
            multiline=True,
            prompt_continuation=keys.continuation,
            erase_when_done=True,
            enable_suspend=True,
        )
        self._canvas.app = self._session.app
        typed.tell = self.notice
        self.buffer = self._session.default_buffer
        self.buffer.accept_handler = self._enter
        self.buffer.on_text_changed += self._forget_warning

    def run(self) -> int:
        """Lasts until one side leaves.

        Returns:
            The exit code.

        Raises:
            ConnectionFailed: the server went away.
        """
        return asyncio.run(self._converse())

    async def _converse(self) -> int:
        self._catch_signals()
        with self._canvas.taken():
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
                self._save(now=True)
                # Wakes the thread that waits for the server: the loop joins it.
                self._client.close()

    def _catch_signals(self) -> None:
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            # The default would leave the terminal as the prompt has it, without echo. Windows has neither.
            with suppress(NotImplementedError):
                if number is not None:
                    asyncio.get_running_loop().add_signal_handler(number, self.finish, 128 + number)

    async def _type(self) -> int:
        """Takes what is typed; returns the exit code once the person wants to leave."""
        try:
            return await self._session.prompt_async(pre_run=self._canvas.watch_size)
        except EOFError:  # Ctrl-D, or the terminal is gone.
            return 0

    async def _tick(self) -> None:
        """Keeps the prompt true while it counts down, and something waits."""
        while True:
            await asyncio.sleep(TICK)
            if self._client.unacked or not self._conversation.connected:
                self._session.app.invalidate()
            self._call()
            self._save()

    async def _follow(self) -> None:
        """Shows what comes until the connection ends."""
        while events := await asyncio.to_thread(self._client.receive):
            await self._take(events)

    async def _take(self, events: list[Event]) -> None:
        """Shows events, with pauses in which keys are looked at."""
        shown: list[str] = []
        until = time.monotonic() + SHOWING_SECONDS
        for event in events:
            shown += self._drawn(event)
            if time.monotonic() >= until:
                self._canvas.write("".join(shown))
                shown.clear()
                # Else, with much to show, the input line would be erased again before it is drawn.
                await asyncio.sleep(PAUSE)
                until = time.monotonic() + SHOWING_SECONDS
        self._canvas.write("".join(shown))
        self._call()
        await asyncio.sleep(PAUSE)

    def _drawn(self, event: Event) -> Iterable[str]:
        """Takes in an event; yields what is written of it."""
        if isinstance(event, Disconnected):
            self._next_try = time.monotonic() + event.seconds
        if isinstance(event, Ack | Error) and event.nonce is not None:
            self._settled.add(event.nonce)
        for frame in self._conversation.receive(event):
            if frame is event:  # and not what was looked up
                self._alerts.hear(frame, self._conversation.weight(frame), self._conversation.look)
            yield self._canvas.draw(frame, self._conversation.view)

    def _call(self) -> None:
        """Calls the person for what was heard."""
        conversation = self._conversation
        codes = self._alerts.call(conversation.look, time.monotonic())
        codes += self._alerts.title(conversation.look, conversation.places)
        self._canvas.tell(codes)

    def _save(self, *, now: bool = False) -> None:
        try:
            self._conversation.save(now=now)
        except DataError as error:
            self._show([Error(code=error.code, text=str(error))])

    # Ending

    def finish(self, code: int) -> None:
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
        unsent = "" if self.is_asking else self.buffer.text
        if self._session.app.is_running:
            self.finish(1)
        else:
            typing.cancel()
        await asyncio.wait({typing})
        self._tell_undelivered()
        if unsent.strip():
            self._show([Error(code="internal", text=f"not sent: {unsent}")])

    def _tell_undelivered(self) -> None:
        self._show(Error(code="internal", text=line) for line in self._conversation.undelivered())

    # Showing

    def _show(self, frames: Iterable[Frame]) -> None:
        self._canvas.write("".join(self._canvas.draw(frame, self._conversation.view) for frame in frames))

    def notice(self, text: str) -> None:
        """Tells the person something."""
        self._show([Notice(text)])

    def _prompt(self) -> FormattedText:
        if self._question:
            return FormattedText([("class:prompt", self._question.prompt)])
        columns = self._canvas.columns
        waiting = self._waiting()
        late = self._patience.worn_out(waiting, time.monotonic())
        lines = prompt.waiting([waiting[nonce] for nonce in late], columns)
        return FormattedText(lines + prompt.prompt(self._conversation.places, self._state(), columns))

    def _waiting(self) -> dict[str, str]:
        """Returns by nonce the texts of what was said, and not answered as far as is shown."""
        unacked = list(self._client.unacked.items())  # Another thread may be changing it.
        self._settled.intersection_update(nonce for nonce, _ in unacked)
        return {nonce: post.text for nonce, post in unacked if nonce not in self._settled}

    def _state(self) -> str:
        """Returns what the prompt says of the connection: nothing, as long as there is one."""
        if self._conversation.connected:
            return " (away)" if self._conversation.away else ""
        waiting = len(self._client.unacked)
        what = f", {waiting} to send" if waiting else ""
        left = math.ceil(self._next_try - time.monotonic())
        return f" (reconnecting in {left} s{what})" if left > 0 else f" (connecting…{what})"

    def _style(self) -> BaseStyle:
        return Style.from_dict(prompt_styles(palette(self._conversation.look.theme)))

    # Typing

    def _enter(self, buffer: Buffer) -> bool:
        """Acts on what was typed; returns whether it stays there, to be mended."""
        if self._question:
            self._answer(self._question)
            return False
        text = buffer.text
        if not text and not self._conversation.connected:
            self._next_try = 0.0
            self._client.retry_now()
        # Where there is no connection any more, whoever reads from it finds that out, and ends the prompt.
        with suppress(ConnectionFailed):
            try:
                self._perform(commands.parse(text.rstrip("\n")))
            except (UsageError, Refused, DataError) as error:
                self._show([Error(code=error.code, text=str(error))])
                return True
        return False

    def _perform(self, action: commands.Action | None) -> None:
        match action:
            case commands.Quit():
                self.finish(0)
            case commands.Clear():
                self._session.app.renderer.clear()
            case commands.Register() | commands.Login():
                self._ask(Question(action, self._conversation.name))
            case commands.Export(path):
                task = asyncio.create_task(self._export(self._conversation.here(), Path(path)))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            case None:
                pass
            case _:
                self._show(self._conversation.perform(action))

    async def _export(self, room: str, path: Path) -> None:
        from chatctl.client.terminal.exporting import export_room

        try:
            topic = self._conversation.topic(room)
            count = await asyncio.to_thread(export_room, self._client, room, path, topic)
        except ChatError as error:
            self._show([Error(code=error.code, text=str(error))])
        else:
            self.notice(exported(count, room, path))

    # Asking for a password

    @property
    def is_asking(self) -> bool:
        """Whether a password is being typed."""
        return self._question is not None

    def _ask(self, question: Question | None) -> None:
        """Has a password typed, or what is said again; nothing of what was typed before is left."""
        self.buffer.reset()  # with all that could be undone
        self._session.clipboard = InMemoryClipboard()
        self._question = question

    def _answer(self, question: Question) -> None:
        password = self.buffer.text.rstrip("\n")
        self._ask(question)
        try:
            frame = question.answer(password)
            if frame is None:
                return
            self._ask(None)
            self._client.send(frame)
        except (UsageError, Refused) as error:
            self._ask(None)
            self._show([Error(code=error.code, text=str(error))])
        except ConnectionFailed:
            self._ask(None)  # Whoever reads finds that out.

    def cancel(self) -> None:
        """Escape, while a password is being typed: it is not wanted any more."""
        self._ask(None)
        self.notice(CANCELLED)

    def focus(self, number: int) -> None:
        """Talks in the room with this number, if there is one."""
        if self._conversation.places.numbered(number):
            self._show(self._conversation.perform(commands.Focus(str(number))))

    def interrupt(self) -> None:
        """Ctrl-C: clears the line; on the empty line, twice leaves."""
        if self.is_asking:
            self.cancel()
        elif self.buffer.text:
            self.buffer.reset()
        elif self._warned:
            self.finish(0)
        else:
            self._warned = True
            self.notice("Ctrl-C again leaves")

    def _forget_warning(self, _buffer: Buffer) -> None:
        self._warned = False

    def complete(self) -> None:
        """Tab: completes the last word as far as that is sure, else shows what it may become."""
        if self.is_asking:
            return
        conversation = self._conversation
        line = self.buffer.document.text_before_cursor
        role = conversation.standing.role
        found = commands.complete(line, conversation.names, conversation.rooms, _emoji, role)
        typed = len(line) - found.start
        if len(found.choices) > 1 and len(found.common) <= typed:
            self.notice("  ".join(found.choices))
        elif found.common:
            self.buffer.delete_before_cursor(typed)
            self.buffer.insert_text(found.common)


def _emoji(word: str) -> list[str]:
    from chatctl.client.display.emoji import complete_emoji

    return complete_emoji(word)
