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

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from types import TracebackType
from typing import TypeVar

from msgspec import UNSET, structs

from chatctl.client.answer import Answer
from chatctl.client.ended import LineEnded
from chatctl.client.events import CaughtUp, Disconnected, Event, Reconnected
from chatctl.client.greeting import make_hello
from chatctl.client.inbox import Inbox
from chatctl.client.link import Link
from chatctl.client.outgoing import Item, Outgoing, encode_frame, make_item
from chatctl.client.retry import Retry
from chatctl.client.seen import Seen
from chatctl.client.trust import Trust
from chatctl.errors import ConnectionFailed, Refused
from chatctl.framing import encode
from chatctl.messages import (
    DEFAULT_BACKLOG,
    DEFAULT_PAGE,
    LOBBY,
    Account,
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
    Login,
    Msg,
    Notice,
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
    Told,
    Topic,
)
from chatctl.names import check_name, check_room
from chatctl.text import MAX_TEXT, check_text

P = TypeVar("P", History, Found)

CONNECT_SECONDS = 10.0
JOIN_SECONDS = 2.0  # in which the thread ends
CLOSED = "the connection was closed"
TOO_MUCH = "more came than can be kept while an answer is waited for"
BROKEN = "the server breaks the protocol"


class ChatClient:
    """A client of a chat server; made by `connect`.

    Args:
        host: name or address of the server.
        port: its port.
        hello: has been checked.
        timeout: seconds for each try to connect.
        trust: whether there is TLS, and who the server is.
        reconnect: comes back when the line is lost.
        listen: keeps events for whoever reads them; else they are dropped.

    Attributes:
        welcome: what the server said on coming in last.
        name: what the server calls this client now.
        unacked: by nonce, what was posted and neither acked nor refused yet, oldest first. The entry of an
            ``ack`` or ``error`` is still there while that is being handled: it goes when reading goes on.
    """

    def __init__(
        self,
        host: str,
        port: int,
        hello: Hello,
        timeout: float,
        *,
        trust: Trust,
        reconnect: bool,
        listen: bool,
    ) -> None:
        self._host, self._port, self._timeout = host, port, timeout
        self._trust = trust
        self._hello = hello
        self._listens = listen
        self.name = hello.name
        self.unacked: dict[str, Say | Tell] = {}
        self._handed: deque[Event] = deque()  # events for the caller, taken out of the inbox
        self._answered: list[str] = []  # nonces whose ack or error the caller saw last
        self._sending = threading.Lock()  # taken before the next
        self._lock = threading.RLock()  # guards all below
        self._changed = threading.Condition(self._lock)
        self._inbox = Inbox()
        self._outgoing = Outgoing()
        rooms = {LOBBY: None} if hello.rooms is UNSET else hello.rooms
        self._seen = Seen({check_room(room): after for room, after in rooms.items()}, hello.backlog)
        self._retry = Retry() if reconnect else None
        self._ready = True  # the replay is over: what is posted may go out
        self._missed = 0
        self._waiting = 0  # threads that wait for an answer, so that reading must go on
        self._leaving = False
        self._hurried = False  # the next try to come back is to be made now
        self._failure: ConnectionFailed | None = None
        self._over = False
        self._closed = threading.Event()
        # A nonce must never be used twice under one name, not even by another process.
        self._prefix = os.urandom(8).hex()
        self._nonces = count(1)
        self._numbers = count(-1, -1)  # of frames whose answers are waited for; callers use others
        self._barrier: int | None = None
        self._link = self._make_link()
        self.welcome = self._link.open(hello, timeout)
        self.name = self.welcome.name
        self._keep_key()
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
        password: str | None = None,
        trust: Trust | None = None,
        reconnect: bool = True,
        listen: bool = True,
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
            key: what lets one in, where the server wants that; never shown or logged. A server may give one
                for the next time in place of it, see `Welcome`: this client uses that from then on.
            password: of the account of that name; never shown or logged.
            trust: whether there is TLS, and who the server is; left out, TLS to other machines, and no server
                that the system's authorities do not vouch for.
            reconnect: comes back whenever the line is lost; else that ends it.
            listen: keeps what comes until `events` or `receive` hands it out, and does not read on while that
                is much; else it is dropped, for one who only says something or asks for it.

        Raises:
            ConnectionFailed: in one line why it did not work; `code` is the server's, where that `refused`.
        """
        hello = make_hello(name, rooms, backlog, agent, key, password)
        return cls(host, port, hello, timeout, trust=trust or Trust(), reconnect=reconnect, listen=listen)

    def _make_link(self) -> Link:
        return Link(self._host, self._port, self._trust, lambda: self._leaving or self._outgoing.is_owed)

    def _keep_key(self) -> None:
        """Notes the key that the server gave for the next time, if it did."""
        if self.welcome.key is not None:
            self._hello = structs.replace(self._hello, key=self.welcome.key)

    @property
    def address(self) -> tuple[str, int]:
        """The host and port by which the server is reached."""
        return self._host, self._port

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
        return self.post(text, room, kind).result(timeout)

    def tell(self, to: str, text: str, kind: Kind = "text", *, timeout: float | None = None) -> Ack:
        """Sends a private message, and waits until it is accepted; as `say`."""
        return self.post_private(to, text, kind).result(timeout)

    def post(self, text: str, room: str = LOBBY, kind: Kind = "text") -> Answer[Ack]:
        """Posts `text` to a room without waiting, now or when the line is back.

        Returns:
            What becomes the ack, or raises what `say` raises.

        Raises:
            Refused: the text can never be accepted, or too much is waiting to be sent; it is not posted.
            ConnectionFailed: the connection is over.
        """
        nonce = self._nonce()
        return self._post(nonce, Say(text, room, nonce, kind))

    def post_private(self, to: str, text: str, kind: Kind = "text") -> Answer[Ack]:
        """Sends a private message without waiting; as `post`."""
        nonce = self._nonce()
        return self._post(nonce, Tell(to, text, nonce, kind))

    def submit(self, text: str, room: str = LOBBY, *, to: str | None = None) -> str:
        """Posts to a room, or to one person, as `post` does; what becomes of it is told by an event.

        Returns:
            The nonce that the `Ack` or the `Error` will have.

        Raises:
            Refused: as `post`.
            ConnectionFailed: the connection is over.
        """
        nonce = self._nonce()
        self._post(nonce, Say(text, room, nonce) if to is None else Tell(to, text, nonce))
        return nonce

    def _nonce(self) -> str:
        return f"{self._prefix}-{next(self._nonces)}"

    def _post(self, nonce: str, frame: Say | Tell) -> Answer[Ack]:
        check_text(frame.text)
        answer: Answer[Ack] = Answer(self._wait)
        item = Item(frame, encode_frame(frame), nonce, answer, is_post=True)
        with self._lock:
            self._add(item)
            self.unacked[nonce] = frame
            if self._outgoing.can_wait:
                return answer
        self._flush()
        return answer

    def send(self, frame: ClientFrame) -> None:
        """Sends one frame, now or when the line is back.

        Raises:
            Refused: the frame can never be accepted, or too much is waiting to be sent; it is not sent.
            ConnectionFailed: the connection is over.
        """
        if isinstance(frame, Join | Rename | Login) and frame.n is None:
            frame = structs.replace(frame, n=next(self._numbers))
        item = make_item(frame)
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
        frame = AskHistory(room, after, before, since, limit, next(self._numbers))
        return self._ask(frame, Answer[History](self._wait))

    def search(self, text: str, room: str | None = None, *, limit: int = DEFAULT_PAGE) -> Found:
        """Returns the newest messages, of one room or of all, that hold every word of `text`.

        Raises:
            Refused: the server does not answer it.
            ConnectionFailed: the connection is over.
        """
        return self._ask(Search(text, room, limit, next(self._numbers)), Answer[Found](self._wait))

    def _ask(self, frame: AskHistory | Search, answer: Answer[P]) -> P:
        item = Item(frame, encode_frame(frame), frame.n, answer)
        with self._changed:
            self._add(item)
        self._flush()
        page = answer.result()
        if page.more and not page.messages:
            raise Refused("internal", "the server says that there is more, and does not tell what")
        return page

    def _wait(self, condition: Callable[[], bool], timeout: float | None) -> bool:
        with self._changed:
            self._waiting += 1
            self._changed.notify_all()
            try:
                return self._changed.wait_for(condition, timeout)
            finally:
                self._waiting -= 1

    # Sending

    def _add(self, item: Item) -> None:
        if self._over:
            raise self._failure or ConnectionFailed(CLOSED)
        self._outgoing.add(item)

    def _flush(self) -> None:
        """Sends what may be sent now."""
        with self._sending:
            with self._lock:
                if not self._ready or self._over or self._link.is_stuck:
                    return
                items = self._outgoing.take()
                link = self._link
            if items:
                link.send(b"".join([item.data for item in items]))

    # Receiving

    def events(self) -> Iterator[Event]:
        """Yields what the server sends, and what becomes of the connection, until one side leaves.

        Raises:
            ConnectionFailed: the server went away for good, or threw this client out.
        """
        while (event := self._next()) is not None:
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
        first = self._next(timeout)
        if first is None:
            return []
        with self._changed:
            events = [first, *self._handed]
            self._handed.clear()
        for event in events:
            self._note(event)
        return events

    def _next(self, timeout: float | None = None) -> Event | None:
        """Waits for an event for the caller; returns None at the end; raises as `receive`."""
        self._forget()
        while True:
            try:
                return self._handed.popleft()
            except IndexError:
                if not self._look(timeout):
                    return None

    def _look(self, timeout: float | None) -> bool:
        """Waits for something in the inbox, and takes it out; returns False at the end."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._inbox or self._over, timeout):
                raise TimeoutError
            if self._failure and not self._inbox:
                raise self._failure
            self._handed.extend(self._inbox.take())
            self._changed.notify_all()
            return bool(self._handed)

    def _note(self, event: Event) -> None:
        """Takes in what the caller is about to see."""
        if isinstance(event, Ack | Error) and event.nonce is not None:
            self._answered.append(event.nonce)

    def _forget(self) -> None:
        """Drops the posts whose answers the caller has seen."""
        if self._answered:
            with self._lock:
                for nonce in self._answered:
                    self.unacked.pop(nonce, None)
                self._answered.clear()

    def retry_now(self) -> None:
        """Tries to come back at once, if this client is waiting to do so; from any thread."""
        with self._changed:
            self._hurried = True
            self._changed.notify_all()

    def was_sent(self, nonce: str) -> bool:
        """Returns whether a post of `unacked` was ever sent: then it may have arrived."""
        item = self._outgoing.find(nonce)
        return item is None or item.was_sent

    def wait_acked(self, left: int = 0) -> bool:
        """Waits until at most `left` posts are neither acked nor refused.

        Somebody has to read events meanwhile, unless nobody listens.

        Returns:
            False if the connection ended before.
        """
        if self._outgoing.posts > left:
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
            with self._changed:
                # Not reading on is what tells the server to send no more.
                self._changed.wait_for(self._may_read)
            frames, size = self._link.read()
            if frames:
                with self._changed:
                    self._inbox.size += size
                    for frame in frames:
                        self._take(frame)
                    self._changed.notify_all()
                    if self._inbox.is_too_full:
                        raise LineEnded(TOO_MUCH, code="too-long")
            self._flush()

    def _may_read(self) -> bool:
        return not self._inbox.is_full or self._waiting > 0 or self._over

    def _tell(self, event: Event) -> None:
        """Keeps an event for the caller, if there is one who wants it."""
        if self._listens:
            self._inbox.add(event)
        else:
            self._note(event)
            self._forget()

    def _take(self, frame: ServerFrame) -> None:
        """Acts on a frame, and keeps what the caller must see."""
        match frame:
            case Msg():
                self._take_message(frame)
            case Ack():
                if item := self._outgoing.find(frame.nonce):
                    self._settle(item, frame)
                    self._seen.is_new(frame)
                    self._tell(frame)
            case Error():
                self._take_error(frame)
            case History():
                self._take_page(frame, AskHistory)
            case Found():
                self._take_page(frame, Search)
            case Gap():
                if self._seen.is_new_gap(frame) and not self._outgoing.asks_history():
                    self._tell(frame)
            case Pong() if frame.re is not None and frame.re == self._barrier:
                self._barrier = None
                self._ready = True
                self._tell(CaughtUp(self._missed))
            case _:
                self._take_news(frame)

    def _take_news(self, frame: ServerFrame) -> None:
        match frame:
            case RoomState():
                self._seen.enter(frame)
            case Renamed(name=self.name):
                self.name = _own_name(frame.to)
            case Account():
                self.name = _own_name(frame.name)
            case Told() | Topic() if len(frame.text) > MAX_TEXT:
                raise _too_long(frame.text)
        item = self._outgoing.find(getattr(frame, "re", None))
        if item and isinstance(item.frame, Join | Rename | Login):
            self._settle(item, frame)
        self._tell(frame)

    def _take_message(self, message: Msg) -> None:
        if len(message.text) > MAX_TEXT:
            raise _too_long(message.text)
        item = self._outgoing.find(message.nonce)
        new = self._seen.is_new(message)
        if item:
            # It arrived on an earlier connection, and its ack did not.
            ack = Ack(nonce=message.nonce or "", at=message.at, room=message.room, id=message.id)
            self._settle(item, ack)
            self._tell(ack)
        elif new:
            self._missed += not self._ready
            self._tell(message)

    def _take_page(self, page: History | Found, question: type[AskHistory | Search]) -> None:
        item = self._outgoing.find(page.re)
        if item and isinstance(item.frame, question):
            self._settle(item, page)
        else:
            self._tell(page)

    def _take_error(self, error: Error) -> None:
        item = self._outgoing.find(error.nonce) or self._outgoing.find(error.re)
        if item:
            if isinstance(item.frame, Join):
                self._seen.refused(item.frame.room)
            self._outgoing.settle(item)
            if item.answer:
                item.answer.fail(Refused(error.code, error.text))
            if isinstance(item.frame, AskHistory | Search):
                return
        self._tell(error)

    def _settle(self, item: Item, answer: ServerFrame) -> None:
        self._outgoing.settle(item)
        if item.answer:
            item.answer.settle(answer)

    # Coming back

    def _come_back(self, ended: LineEnded) -> LineEnded | None:
        """Tries until the client is in again; returns why it never will be."""
        with self._changed:
            self._ready = False
            self._outgoing.line_lost()
            self._link.close()
        while True:
            final = self._closed.is_set() or self._leaving or self._retry is None
            seconds = None if final or self._retry is None else self._retry.wait(ended.code, ended.retry)
            if seconds is None:
                return ended
            with self._changed:
                self._hurried = False
                self._tell(Disconnected(str(ended), ended.code, seconds))
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._hurried or self._over, seconds)
                self._changed.wait_for(self._may_read)
                if self._over:
                    return ended
            try:
                self._open_again()
            except LineEnded as again:
                ended = again
            else:
                return None

    def _open_again(self) -> None:
        link = self._make_link()
        with self._changed:
            if self._over:
                raise LineEnded(CLOSED)
            self._link = link
            hello = structs.replace(
                self._hello, name=self.name, rooms=self._seen.wanted(), resume=self.welcome.session
            )
        welcome = link.open(hello, self._timeout)
        with self._changed:
            self.welcome = welcome
            self.name = welcome.name
            self._keep_key()
            self._seen.came_back()
            self._missed = 0
            self._barrier = next(self._numbers)
            if news := self._trust.take_news():
                self._tell(Notice(news))
            self._tell(Reconnected(welcome))
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
            for item in self._outgoing.give_up():
                if item.answer:
                    item.answer.fail(failure or ConnectionFailed(CLOSED))
            self._changed.notify_all()

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


def _own_name(name: str) -> str:
    """Returns what the server says that this client is called now: it must be able to come back so.

    Raises:
        LineEnded: that is no name.
    """
    try:
        return check_name(name)
    except Refused:
        raise LineEnded(f"{BROKEN}: it gave you a name that is none", code="bad-frame") from None


def _too_long(text: str) -> LineEnded:
    """Returns what ends the connection, so that nobody has to draw a text that nobody may send."""
    return LineEnded(f"{BROKEN}: a text of {len(text)} characters", code="bad-frame")
