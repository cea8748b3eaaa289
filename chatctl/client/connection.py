"""A connection to a chat server that lasts, for the terminal client and for programs.

::

    with ChatClient.connect("127.0.0.1", 12345, "bot", backlog=0) as client:
        for event in client.events():
            if isinstance(event, messages.Msg) and event.text == "hello":
                client.say(f"hello {event.name}", event.room)

When the line is lost the client comes back by itself, as often as it takes, and goes on where it was: every
message of its rooms is handed out once and in order, and what was posted arrives once. Any thread may use it.
"""

from __future__ import annotations

import secrets
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from itertools import count
from types import TracebackType
from typing import TypeVar

from msgspec import UNSET, structs

import chatctl
from chatctl.client.events import CaughtUp, Disconnected, Event, Reconnected
from chatctl.client.link import LineEnded, Link
from chatctl.client.outgoing import Item, Outgoing
from chatctl.client.retry import Retry
from chatctl.client.seen import Seen
from chatctl.errors import ConnectionFailed, Refused
from chatctl.framing import encode
from chatctl.messages import (
    DEFAULT_BACKLOG,
    DEFAULT_PAGE,
    LOBBY,
    MAX_CLIENT_FRAME,
    VERSION,
    Ack,
    AskHistory,
    ClientFrame,
    Error,
    Found,
    Gap,
    Hello,
    History,
    Join,
    Kind,
    Leave,
    Msg,
    Part,
    Ping,
    Pong,
    Rename,
    Renamed,
    RoomState,
    Say,
    Search,
    ServerFrame,
    Tell,
)
from chatctl.names import check_name, check_room
from chatctl.text import check_text

A = TypeVar("A")

CONNECT_SECONDS = 10.0
MAX_KEY = 1_024  # characters: they find their place in a hello
MAX_EVENTS = 10_000  # that wait to be looked at before reading stops
JOIN_SECONDS = 2.0  # in which the thread ends
CLOSED = "the connection was closed"


class ChatClient:
    """A client of a chat server; made by `connect`.

    Args:
        host: name or address of the server.
        port: its port.
        hello: has been checked.
        timeout: seconds for each try to connect.
        reconnect: comes back when the line is lost.

    Attributes:
        welcome: what the server said on coming in last.
        name: what the server calls this client now.
        unacked: by nonce, what was posted and neither acked nor refused yet, oldest first. The entry of an
            ``ack`` or ``error`` is still there while that is being handled: it goes when reading goes on.
    """

    def __init__(self, host: str, port: int, hello: Hello, timeout: float, *, reconnect: bool) -> None:
        self._host, self._port, self._timeout = host, port, timeout
        self._hello = hello
        self.name = hello.name
        self.unacked: dict[str, Say | Tell] = {}
        self._sending = threading.Lock()  # taken before the next
        self._changed = threading.Condition()  # guards all below
        self._events: deque[Event] = deque()  # what the caller has not seen yet
        self._sent: set[str] = set()  # nonces of `unacked` that were sent, perhaps in vain
        self._answered: list[str] = []  # nonces whose ack or error the caller saw last
        self._outgoing = Outgoing()
        rooms = {LOBBY: None} if hello.rooms is UNSET else hello.rooms
        self._seen = Seen({check_room(room): after for room, after in rooms.items()}, hello.backlog)
        self._retry = Retry() if reconnect else None
        self._ready = True  # the replay is over: what is posted may go out
        self._gathering = 0  # threads that have more to post before it goes out
        self._missed = 0
        self._waiting = 0  # threads that wait for an answer, so that reading must go on
        self._leaving = False
        self._hurried = False  # the next try to come back is to be made now
        self._failure: ConnectionFailed | None = None
        self._over = False
        self._closed = threading.Event()
        # A nonce must never be used twice under one name, not even by another process.
        self._prefix = secrets.token_hex(8)
        self._nonces = count(1)
        self._numbers = count(-1, -1)  # of frames whose answers are waited for; callers use others
        self._barrier: int | None = None
        self._link = Link(host, port)
        self.welcome = self._link.open(hello, timeout)
        self.name = self.welcome.name
        self._thread = threading.Thread(target=self._run, name="chatctl-client", daemon=True)
        self._thread.start()

    @classmethod
    def connect(
        cls,
        host: str,
        port: int,
        name: str,
        rooms: Mapping[str, int | None] | None = None,
        *,
        backlog: int = DEFAULT_BACKLOG,
        timeout: float = CONNECT_SECONDS,
        agent: str | None = None,
        key: str | None = None,
        reconnect: bool = True,
    ) -> ChatClient:
        """Connects, and comes in as `name`.

        Args:
            host: name or address of the server.
            port: its port.
            name: what to be called.
            rooms: for each room the last id seen there, or None to join afresh; left out, the lobby.
            backlog: earlier messages of each room joined afresh, at most 500.
            timeout: seconds until the welcome must be there.
            agent: what this program calls itself.
            key: what lets one in, where the server wants that; never shown or logged.
            reconnect: comes back whenever the line is lost; else that ends it.

        Raises:
            ConnectionFailed: in one line why it did not work; `code` is the server's, where that `refused`.
        """
        hello = Hello(
            v=VERSION,
            name=name,
            rooms=UNSET if rooms is None else dict(rooms),
            backlog=backlog,
            key=key,
            agent=agent or f"chatctl/{chatctl.__version__}",
        )
        _check_hello(hello)
        return cls(host, port, hello, timeout, reconnect=reconnect)

    # Saying

    def say(self, text: str, room: str = LOBBY, kind: Kind = "text", *, timeout: float | None = None) -> Ack:
        """Posts `text` to a room, and waits until the server has it.

        Args:
            text: 1 to 8 000 bytes.
            room: one that this client is in.
            kind: ``action`` for what one does.
            timeout: seconds to wait; None for as long as it takes. It is posted all the same.

        Raises:
            Refused: the server does not take it, or nobody could.
            ConnectionFailed: the connection is over; it may have been posted, or not.
            TimeoutError: the server did not ack it in time.
        """
        return self._wait(self.post(text, room, kind), timeout)

    def tell(self, to: str, text: str, kind: Kind = "text", *, timeout: float | None = None) -> Ack:
        """Sends a private message, and waits until it is accepted; as `say`."""
        return self._wait(self.post_private(to, text, kind), timeout)

    def post(self, text: str, room: str = LOBBY, kind: Kind = "text") -> Future[Ack]:
        """Posts `text` to a room without waiting, now or when the line is back.

        Returns:
            What becomes the ack, or raises what `say` raises.

        Raises:
            Refused: the text can never be accepted, or too much is waiting to be sent; it is not posted.
            ConnectionFailed: the connection is over.
        """
        answer: Future[Ack] = Future()
        self._post(Say(text, room, self._nonce(), kind), answer)
        return answer

    def post_private(self, to: str, text: str, kind: Kind = "text") -> Future[Ack]:
        """Sends a private message without waiting; as `post`."""
        answer: Future[Ack] = Future()
        self._post(Tell(to, text, self._nonce(), kind), answer)
        return answer

    def submit(self, text: str, room: str = LOBBY, *, to: str | None = None) -> str:
        """Posts to a room, or to one person, as `post` but quicker: what becomes of it is told by an event.

        Returns:
            The nonce that the `Ack` or the `Error` will have.

        Raises:
            Refused: as `post`.
            ConnectionFailed: the connection is over.
        """
        nonce = self._nonce()
        self._post(Say(text, room, nonce) if to is None else Tell(to, text, nonce), None)
        return nonce

    @contextmanager
    def together(self) -> Iterator[None]:
        """Sends what is posted meanwhile in one go at the end, which is quicker; nothing may wait for it."""
        with self._changed:
            self._gathering += 1
        try:
            yield
        finally:
            with self._changed:
                self._gathering -= 1
            self._flush()

    def _nonce(self) -> str:
        return f"{self._prefix}-{next(self._nonces)}"

    def _post(self, frame: Say | Tell, answer: Future[Ack] | None) -> None:
        check_text(frame.text)
        nonce = frame.nonce
        assert nonce is not None
        item = Item(frame, _encode(frame), nonce, answer)
        with self._changed:
            self._add(item)
            self.unacked[nonce] = frame
        if not self._gathering:
            self._flush()

    def send(self, frame: ClientFrame) -> None:
        """Sends one frame, now or when the line is back.

        Raises:
            Refused: the frame can never be accepted, or too much is waiting to be sent; it is not sent.
            ConnectionFailed: the connection is over.
        """
        if isinstance(frame, Join | Rename) and frame.n is None:
            frame = structs.replace(frame, n=next(self._numbers))
        item = Item(frame, _encode(frame), _key(frame))
        with self._changed:
            match frame:
                case Join():
                    self._seen.join(structs.replace(frame, room=check_room(frame.room)))
                case Part():
                    self._seen.part(check_room(frame.room))
                case Leave():
                    self._leaving = True
            self._add(item)
        self._flush()

    def leave(self) -> None:
        """Says bye; reading then goes on until the server's bye, and ends without an error.

        Raises:
            ConnectionFailed: the connection is over.
        """
        self.send(Leave())

    # Asking

    def history(
        self,
        room: str = LOBBY,
        *,
        after: int | None = None,
        before: int | None = None,
        since: int | None = None,
        limit: int = DEFAULT_PAGE,
    ) -> History:
        """Returns a page of what was said in a room; see PROTOCOL.md, ``history``.

        Args:
            room: this client need not be in it.
            after: the first messages with ids above this one.
            before: the last messages with ids below this one; the newest, if neither is given.
            since: the first messages not older than this, in milliseconds since the Unix epoch.
            limit: messages, 1 to 500.

        Raises:
            Refused: the server does not answer it.
            ConnectionFailed: the connection is over.
        """
        return self._ask(AskHistory(room, after, before, since, limit, next(self._numbers)), History)

    def search(self, text: str, room: str | None = None, *, limit: int = DEFAULT_PAGE) -> Found:
        """Returns the newest messages, of one room or of all, that hold every word of `text`.

        Raises:
            Refused: the server does not answer it.
            ConnectionFailed: the connection is over.
        """
        return self._ask(Search(text, room, limit, next(self._numbers)), Found)

    def _ask(self, frame: AskHistory | Search, wanted: type[A]) -> A:
        answer: Future[ServerFrame] = Future()
        with self._changed:
            self._add(Item(frame, _encode(frame), frame.n, answer))
        self._flush()
        found = self._wait(answer, None)
        if not isinstance(found, wanted):
            raise Refused("bad-frame", "the server answers something else than was asked")
        return found

    def _wait(self, answer: Future[A], timeout: float | None) -> A:
        with self._changed:
            self._waiting += 1
            self._changed.notify_all()
        try:
            return answer.result(timeout)
        finally:
            with self._changed:
                self._waiting -= 1

    # Sending

    def _add(self, item: Item) -> None:
        if self._over:
            raise self._failure or ConnectionFailed(CLOSED)
        self._outgoing.add(item)

    def _flush(self) -> None:
        """Sends what may be sent now."""
        with self._sending:
            with self._changed:
                if not self._ready or self._gathering or self._over:
                    return
                items = self._outgoing.take()
                self._sent.update(str(item.key) for item in items if item.is_post)
                link = self._link
            if items:
                link.send(b"".join(item.data for item in items))

    # Receiving

    def events(self) -> Iterator[Event]:
        """Yields what the server sends, and what becomes of the connection, until one side leaves.

        Raises:
            ConnectionFailed: the server went away for good, or threw this client out.
        """
        while self._has_events():
            with self._changed:
                event = self._events.popleft()
                self._changed.notify_all()
            self._note(event)
            yield event

    __iter__ = events

    def receive(self, timeout: float | None = None) -> list[Event]:
        """Waits for what comes next; returns all events that are there, and none at the end.

        Args:
            timeout: seconds to wait; None for as long as it takes.

        Raises:
            ConnectionFailed: as `events`; what came before that was returned first.
            TimeoutError: nothing came in time.
        """
        self._has_events(timeout)
        with self._changed:
            events = list(self._events)
            self._events.clear()
            self._changed.notify_all()
        for event in events:
            self._note(event)
        return events

    def _has_events(self, timeout: float | None = None) -> bool:
        """Waits until there is an event for the caller; returns False at the end."""
        with self._changed:
            for nonce in self._answered:
                self.unacked.pop(nonce, None)
                self._sent.discard(nonce)
            self._answered.clear()
            self._changed.notify_all()
            if not self._changed.wait_for(lambda: self._events or self._over, timeout):
                raise TimeoutError
            if self._failure and not self._events:
                raise self._failure
            return bool(self._events)

    def _note(self, event: Event) -> None:
        """Takes in what the caller is about to see."""
        if isinstance(event, Ack | Error) and event.nonce is not None:
            self._answered.append(event.nonce)

    def retry_now(self) -> None:
        """Tries to come back at once, if this client is waiting to do so; from any thread."""
        with self._changed:
            self._hurried = True
            self._changed.notify_all()

    def was_sent(self, nonce: str) -> bool:
        """Returns whether a post of `unacked` was ever sent: then it may have arrived."""
        with self._changed:
            return nonce in self._sent

    def wait_acked(self, left: int = 0) -> bool:
        """Waits until at most `left` posts are neither acked nor refused.

        Returns:
            False if the connection ended before.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._over or self._outgoing.posts <= left)
            return self._outgoing.posts <= left

    # The thread

    def _run(self) -> None:
        ended: LineEnded | None = None
        while ended is None:
            try:
                self._read()
            except LineEnded as failure:
                ended = self._come_back(failure)
        self._end(None if ended.code == "bye" or self._closed.is_set() else ended)

    def _read(self) -> None:
        while True:
            frames = self._link.read()
            with self._changed:
                for frame in frames:
                    self._take(frame)
                self._changed.notify_all()
            self._flush()
            with self._changed:
                # Not reading on is what tells the server to send no more.
                self._changed.wait_for(lambda: len(self._events) < MAX_EVENTS or self._waiting or self._over)

    def _take(self, frame: ServerFrame) -> None:
        """Acts on a frame, and keeps what the caller must see."""
        match frame:
            case Msg():
                self._take_message(frame)
            case Ack():
                if item := self._outgoing.find(frame.nonce):
                    self._settle(item, frame)
                    self._seen.is_new(frame)
                    self._events.append(frame)
            case Error():
                self._take_error(frame)
            case History() | Found() if item := self._outgoing.find(frame.re):
                self._settle(item, frame)
            case Gap():
                if self._seen.is_new_gap(frame) and not self._outgoing.asks_history():
                    self._events.append(frame)
            case Pong() if frame.re is not None and frame.re == self._barrier:
                self._barrier = None
                self._ready = True
                self._events.append(CaughtUp(self._missed))
            case _:
                self._take_news(frame)

    def _take_news(self, frame: ServerFrame) -> None:
        match frame:
            case RoomState():
                self._seen.enter(frame)
            case Renamed(name=self.name):
                self.name = frame.to
        re = getattr(frame, "re", None)
        if item := self._outgoing.find(re):
            self._settle(item, frame)
        self._events.append(frame)

    def _take_message(self, message: Msg) -> None:
        item = self._outgoing.find(message.nonce)
        new = self._seen.is_new(message)
        if item:
            # It arrived on an earlier connection, and its ack did not.
            ack = Ack(nonce=message.nonce or "", at=message.at, room=message.room, id=message.id)
            self._settle(item, ack)
            self._events.append(ack)
        elif new:
            self._missed += not self._ready
            self._events.append(message)

    def _take_error(self, error: Error) -> None:
        item = self._outgoing.find(error.nonce) or self._outgoing.find(error.re)
        if item:
            if isinstance(item.frame, Join):
                self._seen.refused(item.frame.room)
            self._outgoing.settle(item)
            if item.answer and not item.answer.done():
                item.answer.set_exception(Refused(error.code, error.text))
            if isinstance(item.frame, AskHistory | Search):
                return
        self._events.append(error)

    def _settle(self, item: Item, answer: ServerFrame) -> None:
        self._outgoing.settle(item)
        if item.answer and not item.answer.done():
            item.answer.set_result(answer)

    # Coming back

    def _come_back(self, ended: LineEnded) -> LineEnded | None:
        """Tries until the client is in again; returns why it never will be."""
        with self._changed:
            self._ready = False
            self._outgoing.line_lost()
        while True:
            final = self._closed.is_set() or self._leaving or self._retry is None
            seconds = None if final or self._retry is None else self._retry.wait(ended.code, ended.retry)
            if seconds is None:
                return ended
            with self._changed:
                self._hurried = False
                self._events.append(Disconnected(str(ended), ended.code, seconds))
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._hurried or self._over, seconds)
                if self._over:
                    return ended
            try:
                self._open_again()
            except LineEnded as again:
                ended = again
            else:
                return None

    def _open_again(self) -> None:
        link = Link(self._host, self._port)
        with self._changed:
            if self._over:
                raise LineEnded(CLOSED)
            self._link.close()
            self._link = link
            hello = structs.replace(
                self._hello, name=self.name, rooms=self._seen.wanted(), resume=self.welcome.session
            )
        welcome = link.open(hello, self._timeout)
        with self._changed:
            self.welcome = welcome
            self.name = welcome.name
            self._seen.came_back()
            self._missed = 0
            self._barrier = next(self._numbers)
            self._events.append(Reconnected(welcome))
            self._changed.notify_all()
        if self._retry:
            self._retry.connected()
        # The answer comes behind all that is replayed.
        link.send(encode(Ping(self._barrier)))

    # Ending

    def _end(self, failure: ConnectionFailed | None) -> None:
        """Notes that nothing more comes, and why, where neither side asked for that."""
        with self._changed:
            if self._over:
                return
            self._over = True
            self._failure = failure
            unanswered = self._outgoing.give_up()
            self._changed.notify_all()
        for item in unanswered:
            if item.answer and not item.answer.done():
                item.answer.set_exception(failure or ConnectionFailed(CLOSED))

    def close(self) -> None:
        """Ends the connection without a word, from any thread: reading ends. May be called again."""
        self._closed.set()
        self._end(None)
        with self._changed:
            link = self._link
        link.close()
        if self._thread is not threading.current_thread():
            self._thread.join(JOIN_SECONDS)

    def __enter__(self) -> ChatClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _key(frame: ClientFrame) -> str | int | None:
    """Returns what an answer to `frame` will carry, if one is waited for."""
    match frame:
        case Say() | Tell():
            return frame.nonce
        case Join() | Rename():
            return frame.n
    return None


def _check_hello(hello: Hello) -> None:
    """Checks what would only be refused, and could not even be written as JSON if it had lone surrogates.

    Raises:
        ConnectionFailed: a name or a room is none, or the key is no text.
    """
    try:
        check_name(hello.name)
        for room in hello.rooms or ():
            check_room(room)
    except Refused as refusal:
        raise ConnectionFailed(str(refusal), code=refusal.code, refused=True) from None
    if hello.key is not None and not (hello.key.isprintable() and len(hello.key) <= MAX_KEY):
        text = f"that is no key: it is one line of at most {MAX_KEY} characters"
        raise ConnectionFailed(text, code="auth-failed", refused=True)


def _encode(frame: ClientFrame) -> bytes:
    """Returns a frame as a line of JSON.

    Raises:
        Refused: the server could not read it, and would end the connection.
    """
    try:
        data = encode(frame)
    except UnicodeEncodeError:
        raise Refused("bad-text", "lone surrogates cannot be sent") from None
    if len(data) > MAX_CLIENT_FRAME:
        raise Refused("too-long", "that is too long")
    return data
