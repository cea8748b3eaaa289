"""One client's thread: it reads, has the dialect make messages of the bytes, and acts on them."""

from __future__ import annotations

import logging
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from chatctl.access import roles
from chatctl.access.keys import Key
from chatctl.access.opened import AccessBook
from chatctl.errors import FrameError, NotProven, Refused, StorageError
from chatctl.framing import Fault
from chatctl.history.log import Log, Post
from chatctl.messages import (
    HANDSHAKE_SECONDS,
    MAX_AGENT,
    MAX_HANDSHAKE,
    MAX_NONCE,
    Ack,
    AskBans,
    AskHistory,
    Away,
    Bye,
    ClientFrame,
    Error,
    Frame,
    Hello,
    Invite,
    Join,
    Leave,
    ListRooms,
    Login,
    Members,
    Moderate,
    Notice,
    Part,
    Ping,
    Pong,
    Redact,
    Register,
    Rename,
    Renamed,
    Role,
    Say,
    Search,
    SetAway,
    SetMode,
    SetTopic,
    Tell,
    Who,
    Whois,
)
from chatctl.names import check_name, check_room
from chatctl.server import identity, inviting, lookup, moderation, modes, permissions, redacting, sockets
from chatctl.server.admission import Admission, TokenBucket, is_loopback
from chatctl.server.config import Config
from chatctl.server.dialects import alert, native
from chatctl.server.doorstep import Doorstep
from chatctl.server.encryption import Encryption
from chatctl.server.entrance import MAX_ROOMS_JOINED, Entrance, Entry, check_hello
from chatctl.server.first_bytes import Kind, kind_of
from chatctl.server.hub import Hub
from chatctl.server.outbox import Drainer, Outbox, wake_reader
from chatctl.server.penalties import Offence
from chatctl.server.people import NOBODY, Encode, Member
from chatctl.server.postbox import Postbox
from chatctl.server.proof import Proof
from chatctl.server.refusals import Refusals
from chatctl.server.resumption import Resumption, Ticket
from chatctl.server.room import POST_SIZE, PostSet, Room
from chatctl.server.sealed import SealedLine
from chatctl.text import MAX_TOPIC, check_text, one_line

log = logging.getLogger(__name__)

Frames = Sequence[ClientFrame | Fault]

# An idle client costs the bytes it could be sending: a read is small until the client fills it.
SMALL_READ = 4096
LARGE_READ = 64 * 1024
CATCH_UP_SECONDS = 30.0
FLUSH_SECONDS = 3.0
RETRY_SECONDS = 1
PATIENCE_SECONDS = 60.0  # for which a client waits for the server to check its password, at most
TLS_REQUIRED = (
    "this server takes encrypted connections only: use a version of chatctl join that has TLS, "
    "or openssl s_client instead of nc"
)
LONGEST_PAUSE = 1.0  # seconds in which a client that is held up looks whether it is still to be served


@dataclass(frozen=True, slots=True)
class Shared:
    """What all sessions of a server share.

    Attributes:
        config: what was set.
        log: keeps what is said.
        book: who may do what.
        hub: the people and rooms.
        entrance: lets people in.
        resumption: whose session is whose.
        admission: who may come in.
        encryption: what is offered and asked for.
        doorstep: those who are not in, and are waited for.
        refusals: what is logged of those who do not come in.
        drainer: sends what sockets did not take at once.
        stopping: set once the server is going down.
        forget: called with a session that has ended.
        sessions: returns all that there are.
    """

    config: Config
    log: Log
    book: AccessBook
    hub: Hub
    entrance: Entrance
    resumption: Resumption[Session]
    admission: Admission
    encryption: Encryption
    doorstep: Doorstep[Session]
    refusals: Refusals
    drainer: Drainer
    stopping: threading.Event
    forget: Callable[[Session], None]
    sessions: Callable[[], list[Session]]


class Session:
    """One connection, from its admission to its end.

    Args:
        shared: what all sessions share.
        sock: the accepted socket, blocking; the session closes it.
        address: the client's, as it was admitted; the session releases it.

    Attributes:
        name: what the client is called; empty before ``welcome``.
        author: the name as `names.fold` makes it.
        person: who it is, on this device and others.
        proof: by what it was let in.
        ticket: by which it can come back; None before ``welcome``.
        told_role: what it was told that it may do; None before ``welcome``.
        proving: it is about to show who it is, and not to be judged before that is over.
        tries: how often it gave a wrong password.
        heard: when the client was last heard, on the monotonic clock.
        at: when it came in, in milliseconds since the Unix epoch.
        agent: what it calls itself, cleaned; empty if it does not say.
    """

    __slots__ = (
        "__weakref__",
        "_asked",
        "_bucket",
        "_ending",
        "_outbox",
        "_pinged",
        "_postbox",
        "_read",
        "_reader",
        "_reason",
        "_shared",
        "_sock",
        "_spoke",
        "address",
        "agent",
        "at",
        "author",
        "encode",
        "heard",
        "name",
        "person",
        "proof",
        "proving",
        "rooms",
        "send",
        "started",
        "ticket",
        "told_role",
        "tries",
    )

    def __init__(self, shared: Shared, sock: socket.socket, address: str) -> None:
        self._shared = shared
        self._sock = sock
        self._read: Callable[[int], bytes] = self._receive_bytes
        self.address = address
        self.name = self.author = self.agent = ""
        self.person = NOBODY
        self.proof = Proof()
        self.at = 0
        self.rooms: dict[str, Room] = {}
        self.encode: Encode = native.encode
        self._reader = native.reader()
        self._outbox = Outbox(sock, shared.drainer, shared.config.outbox, self._overflowed)
        self.send: Callable[[bytes], None] = self._outbox.put
        config = shared.config
        self._bucket = TokenBucket(config.rate, config.burst) if config.rate else None
        self._ending: Error | Bye | None = None
        self._reason = "closed the connection"
        self.started = self.heard = self._spoke = time.monotonic()
        self._pinged = False
        self.ticket: Ticket[Session] | None = None
        self.told_role: Role | None = None
        self.proving = False
        self.tries = 0
        self._asked = 0.0  # when it asked for what may take the server long, on the monotonic clock
        self._postbox: Postbox | None = None

    @property
    def ip(self) -> str:
        """The client's address."""
        return self.address

    @property
    def account(self) -> str:
        """The account the client proved to have, its name folded; empty without one."""
        return self.proof.account

    @property
    def grant(self) -> Key | None:
        """The key the client came by; None without one."""
        return self.proof.grant

    @property
    def role(self) -> Role:
        """What the client may do, as the book has it now."""
        return self.proof.role(self._shared.book)

    @property
    def away(self) -> str:
        """What the client says of being away; empty while it is not."""
        return self.person.away

    @property
    def silenced_as(self) -> tuple[str, ...]:
        """Earlier names, under which the client was muted."""
        return self.ticket.silenced_as if self.ticket else ()

    @property
    def earlier_names(self) -> tuple[str, ...]:
        """The names the client had before this one, folded: the last few."""
        return self.ticket.earlier_names if self.ticket else ()

    def may_enter(self, room: str) -> bool:
        """Returns whether the client may be in a room that there is, now."""
        return permissions.may_enter(self._shared.book, self, room)

    # The thread

    def run(self) -> None:
        """Serves the client until one side ends it; the target of the session's thread."""
        try:
            sockets.tune(self._sock)
            self._serve()
        except Refused as refusal:
            self._end(Error(code=refusal.code, text=str(refusal), fatal=True))
        except Exception:
            log.exception("the session of %s failed", self.name or self.address)
            self._end(Error(code="internal", text="the server made a mistake, sorry", fatal=True))
        finally:
            self._close()

    def _serve(self) -> None:
        frames = self._shake_hands()
        size = SMALL_READ
        while frames is not None:
            self._act(frames)
            data = self._receive(size) if self._ending is None else b""
            if len(data) >= size:
                size = LARGE_READ
            elif len(data) < SMALL_READ:
                size = SMALL_READ
            frames = self._reader.feed(data) if data else None

    def _receive(self, size: int) -> bytes:
        """Returns what the client says in the next `size` bytes; nothing once the connection has ended."""
        try:
            data = self._read(size)
        except OSError as error:
            self._reason = f"lost the connection: {error.strerror or error}"
            return b""
        self.heard = time.monotonic()
        self._pinged = False
        return data

    def _receive_bytes(self, size: int) -> bytes:
        """Returns what comes from the socket; nothing either if others took the client's place meanwhile."""
        if self.name:
            return self._sock.recv(size)
        self._shared.doorstep.wait_for(self)
        data = self._sock.recv(size)
        self.heard = time.monotonic()
        return data if self._shared.doorstep.leave(self) else b""

    # Coming in

    def _shake_hands(self) -> Frames | None:
        """Reads up to the first frame and acts on it; returns what came behind it, None if that was all."""
        data = self._begin()
        left = MAX_HANDSHAKE
        while data and self._ending is None:
            if frames := self._reader.feed(data[:left]):
                more = self._reader.feed(data[left:]) if len(data) > left else []
                return [*frames[1:], *more] if self._enter(frames[0]) else None
            left -= len(data)
            if left <= 0:
                raise Refused("too-long", f"the first {MAX_HANDSHAKE} bytes hold no hello")
            data = self._receive(left)
        return None

    def _begin(self) -> bytes:
        """Returns the first the client says, once it is clear what it speaks, and that it may."""
        data = self._until_known(self._receive(SMALL_READ))
        encryption = self._shared.encryption
        if kind_of(data) is not Kind.tls:
            if data and not encryption.allows_plain(self.address):
                raise Refused("tls-required", TLS_REQUIRED)
            return data
        if encryption.context is None:
            self.encode = alert.encode
            raise Refused("tls", "asked for TLS, which is not offered here")
        self._read = SealedLine(self._receive_bytes, self._outbox, encryption.context, data).receive
        data = self._until_known(self._receive(SMALL_READ))
        if kind_of(data) is Kind.tls:
            raise Refused("bad-frame", "this is TLS already")
        return data

    def _until_known(self, data: bytes) -> bytes:
        """Reads on after `data`, until that says what the client speaks."""
        while data and kind_of(data) is None and (more := self._receive(SMALL_READ)):
            data += more
        return data

    def _enter(self, frame: ClientFrame | Fault) -> bool:
        """Acts on the first frame; returns whether the client is in."""
        self._asked = time.monotonic()
        entrance = self._shared.entrance
        try:
            hello, name, rooms = check_hello(frame)
            entry = entrance.enter(self, hello, name)
        except Refused as refusal:
            number = frame.re if isinstance(frame, Fault) else frame.n
            self._end(_error(refusal, number, fatal=True))
            return False
        self._note_coming(hello, entry)
        self.send_frame(entrance.welcome(self, hello, entry))
        for room, after in rooms.items():
            try:
                self._enter_room(room, after, hello.backlog, None)
            except Refused as refusal:
                self._refuse(refusal, hello)
        # What has changed since it was let in was not told to it, or held against it.
        identity.recheck(self._shared, self)
        self._open_postbox()
        return True

    def _note_coming(self, hello: Hello, entry: Entry) -> None:
        threading.current_thread().name = f"client-{self.name}"
        self._spoke = self.heard
        # Most clients call themselves the same: the server has it once.
        self.agent = sys.intern(one_line(hello.agent or "")[:MAX_AGENT])
        came = "came back" if entry.resumed else "came"
        agent = self.agent or "no agent"
        extra = {"client": self.name, "address": self.address}
        log.info("%s %s from %s (%s)", self.name, came, self.address, agent, extra=extra)

    def is_wanted(self) -> bool:
        """Returns whether the client still waits for what it asked for, and may."""
        return self._ending is None and time.monotonic() - self._asked < PATIENCE_SECONDS

    # Mail

    def _open_postbox(self) -> None:
        """Sends what was kept for the client's account, and from now on what comes to be."""
        if self.account and self._postbox is None:
            mail = self._shared.book.mail
            self._postbox = Postbox(mail, self.account, lambda frames: self.send(self.encode(frames)))
            self._fetch_mail(self.caught_up)

    def fetch_mail(self) -> None:
        """Sends what is kept for the client's account and was not sent, from any thread, without waiting."""
        self._fetch_mail(None)

    def _fetch_mail(self, caught_up: Callable[[], bool] | None) -> None:
        if self._postbox:
            try:
                self._postbox.deliver(caught_up)
            except StorageError as error:
                log.warning("%s does not get what is kept for them: %s", self.name, error)

    # Acting on frames

    def _act(self, frames: Frames) -> None:
        """Acts on frames in order, as fast as the client's rate allows."""
        if self._bucket is None:
            self._perform(frames)
            return
        done = 0
        while done < len(frames) and self._ending is None:
            taken = self._bucket.take(len(frames) - done)
            self._perform(frames[done : done + taken])
            done += taken
            if done < len(frames):
                # Reading on later is all the punishment: the client's own sending comes to a halt.
                self._shared.stopping.wait(min(self._bucket.wait(), LONGEST_PAUSE))
                self.heard = time.monotonic()

    def _perform(self, frames: Frames) -> None:
        says: list[Say] = []
        for frame in frames:
            if type(frame) is Say:
                says.append(frame)
                continue
            if says:
                self._say(says)
                says = []
            if self._ending is not None:
                return
            self._answer(frame)
        if says:
            self._say(says)

    def _answer(self, frame: ClientFrame | Fault) -> None:
        if isinstance(frame, Fault):
            self._complain(
                Error(code=frame.code, text=frame.text, re=frame.re, nonce=frame.nonce, fatal=frame.fatal)
            )
            return
        try:
            _ACTIONS[type(frame)](self, frame)
        except (Refused, FrameError) as error:
            self._refuse(error, frame)

    def _refuse(self, error: Refused | FrameError, frame: ClientFrame) -> None:
        fatal = isinstance(error, FrameError)
        # What makes a frame fatal here is its nonce, which cannot be sent back.
        nonce = None if fatal else getattr(frame, "nonce", None)
        self._complain(_error(error, frame.n, nonce=nonce, fatal=fatal))

    def _complain(self, error: Error) -> None:
        """Sends an error; a fatal one is the last frame the client gets."""
        if error.fatal:
            self._end(error)
        else:
            self.send_frame(error)

    def send_frame(self, frame: Frame) -> None:
        """Sends one frame, without waiting."""
        self.send(self.encode([frame]))

    def _say(self, says: list[Say]) -> None:
        """Publishes messages; those that stand together and go to one room go together."""
        start = 0
        for place, say in enumerate(says):
            if say.room != says[start].room:
                self._say_in(says[start].room, says[start:place])
                start = place
        self._say_in(says[start].room, says[start:])

    def _say_in(self, name: str, says: list[Say]) -> None:
        posts: list[Post] = []
        numbers: list[int | None] = []
        nonced = False
        size = 0
        room: Room | None = None
        refusal: Refused | None = None
        for say in says:
            if self._ending is not None:
                break
            try:
                if say.nonce is not None:
                    _check_nonce(say.nonce)
                    nonced = True
                if room is None:
                    room = self.rooms.get(name) or self._joined(name)
                    refusal = permissions.why_silent(self._shared.book, self, room.name)
                if refusal:
                    raise refusal
                check_text(say.text)
            except (Refused, FrameError) as error:
                self._refuse(error, say)
                continue
            posts.append(Post(self.name, self.author, say.text, say.kind, say.nonce))
            numbers.append(say.n)
            size += len(say.text) + POST_SIZE
        if posts and room:
            self._spoke = self.heard
            room.publish(PostSet(self, posts, numbers, nonced, size))

    def _joined(self, name: str) -> Room:
        """Returns the room the client means, and is in."""
        room = self.rooms.get(check_room(name))
        if room is None:
            raise Refused("not-in-room", "you are not in that room")
        return room

    def _tell(self, frame: Tell) -> None:
        if frame.nonce is not None:
            _check_nonce(frame.nonce)
        check_text(frame.text)
        permissions.demand_voice(self._shared.book, self)
        at, kept = self._shared.hub.tell(self, frame.to, frame.text, frame.kind, frame.nonce)
        self._spoke = self.heard
        if frame.nonce is not None:
            self.send_frame(Ack(nonce=frame.nonce, at=at, re=frame.n))
        if kept:
            self.send_frame(Notice(f"{one_line(frame.to)} is not here, and gets it on coming back"))

    def _join(self, frame: Join) -> None:
        name = check_room(frame.room)
        if name not in self.rooms and len(self.rooms) >= MAX_ROOMS_JOINED:
            raise Refused("forbidden", f"at most {MAX_ROOMS_JOINED} rooms at once")
        self._enter_room(name, frame.after, frame.backlog, frame.n)

    def _enter_room(self, name: str, after: int | None, backlog: int, re: int | None) -> None:
        if room := self.rooms.get(name):
            room.show(self, re)
            return
        hub = self._shared.hub
        permissions.demand_entry(self._shared.book, self, name, exists=hub.has_room(name))
        while self._ending is None:
            if hub.open_room(name).enter(self, after, backlog, re):
                return
            # The room was dropped meanwhile, or this client cut off.

    def _part(self, frame: Part) -> None:
        room = self._joined(frame.room)
        room.leave(self, re=frame.n, answer=True)
        self._shared.hub.close_if_unused(room)

    def _rename(self, frame: Rename) -> None:
        old = self.name
        name = check_name(frame.name)
        permissions.demand_voice(self._shared.book, self)
        permissions.demand_name(self._shared.book, name)
        self._shared.hub.people.rename(self, name)
        self.tell_name(old, frame.n)

    def tell_name(self, old: str, re: int | None = None) -> None:
        """Tells the client, and whoever is in a room with it, that it is no longer called `old`."""
        log.info("%s is now %s", old, self.name, extra={"client": self.name, "address": self.address})
        threading.current_thread().name = f"client-{self.name}"
        if self.ticket:
            self.ticket.rename(self.name, muted=self._shared.book.bans.find("mute", old, "") is not None)
        told: set[Member] = set()
        for room in list(self.rooms.values()):
            room.rename(self, old, told)
        self.send_frame(Renamed(old, self.name, re))

    def _register(self, frame: Register) -> None:
        self._asked = time.monotonic()
        identity.register(self._shared, self, frame)
        self._open_postbox()

    def _log_in(self, frame: Login) -> None:
        self._asked = time.monotonic()
        identity.log_in(self._shared, self, frame)
        self._open_postbox()

    def _topic(self, frame: SetTopic) -> None:
        room = self._joined(frame.room)
        permissions.demand_topic(self._shared.book, self, room.name)
        if frame.text:
            check_text(frame.text, MAX_TOPIC)
        room.set_topic(self, frame.text, frame.n)

    def _who(self, frame: Who) -> None:
        room = None if frame.room is None else check_room(frame.room)
        if room is None or permissions.sees_open(self._shared.book, self, room):
            self.send_frame(self._shared.hub.who(room, frame.n))
        else:
            self.send_frame(Members(names=[], count=0, room=room, re=frame.n))

    def _away(self, frame: SetAway) -> None:
        if frame.text:
            check_text(frame.text, MAX_TOPIC)
        self.person.away = frame.text
        self.send_frame(Away(self.name, frame.text, frame.n))
        for device in self.person.devices:
            if device is not self:
                device.send(device.encode([Away(self.name, frame.text)]))

    def _whois(self, frame: Whois) -> None:
        self.send_frame(self._shared.hub.whois(frame, self._may_read, addresses=self._sees_addresses()))

    def _sees_addresses(self) -> bool:
        return roles.is_at_least(self.role, roles.SEE_ADDRESSES)

    def _may_read(self, room: str) -> bool:
        return permissions.may_read(self._shared.book, self, room)

    def idle(self) -> float:
        """Returns the seconds since the client said something, or came in."""
        return time.monotonic() - self._spoke

    def _list(self, frame: ListRooms) -> None:
        self.send_frame(self._shared.hub.list_rooms(self._may_read, frame.n))

    def _history(self, frame: AskHistory) -> None:
        self.send(self.encode(lookup.history(self._shared.log, self._shared.book, frame, self)))

    def _search(self, frame: Search) -> None:
        self.send_frame(lookup.search(self._shared.log, self._shared.book, frame, self))

    def _moderate(self, frame: Moderate) -> None:
        moderation.moderate(self._shared, self, frame)

    def _banned(self, frame: AskBans) -> None:
        moderation.answer_bans(self._shared, self, frame)

    def _mode(self, frame: SetMode) -> None:
        modes.set_mode(self._shared, self, frame)

    def _redact(self, frame: Redact) -> None:
        redacting.redact(self._shared, self, frame)

    def _invite(self, frame: Invite) -> None:
        inviting.invite(self._shared, self, frame)

    def _ping(self, frame: Ping) -> None:
        self.send_frame(Pong(re=frame.n))

    def _pong(self, frame: Pong) -> None:
        """Notes that mail has arrived; that the client was heard is noted where it is read."""
        if self._postbox and frame.re is not None:
            with suppress(StorageError):  # It comes once more.
                self._postbox.confirm(frame.re)

    def _hello_again(self, frame: Hello) -> None:
        self._end(Error(code="bad-frame", text="you are in already", re=frame.n, fatal=True))

    def _bye(self, frame: Leave) -> None:
        self._reason = "said bye"
        self._leave_rooms()
        self._end(Bye(code="bye", text="goodbye", re=frame.n))

    # Ending

    def cut(self, ending: Error | Bye) -> None:
        """Ends the session from another thread: `ending` is the last frame the client gets."""
        self._end(ending)
        # Though it is ending already, it may still wait for the client.
        self._outbox.stop_waiting()
        wake_reader(self._sock)

    def expel(self, ending: Bye) -> None:
        """Ends the session as `cut` does; nobody comes back to it."""
        if self.ticket:
            self._shared.resumption.revoke(self.ticket)
        self.cut(ending)

    def _end(self, ending: Error | Bye) -> None:
        """Makes `ending` the last frame the client gets; whatever it sends from now on is not acted on."""
        if self._ending is None:
            self._ending = ending
            if isinstance(ending, Error) and (offence := _OFFENCES.get(ending.code)):
                self._shared.admission.penalize(self.address, offence)
            if ending.code != "bye":
                self._reason = f"{ending.code}: {ending.text}"

    def _overflowed(self) -> bytes:
        """Called by the outbox, which is full: returns the farewell."""
        self._end(Bye(code="slow-consumer", text="you are not reading what is sent", retry=RETRY_SECONDS))
        return self.encode([self._ending] if self._ending else [])

    def caught_up(self) -> bool:
        """Waits until the client has taken what was sent; cuts it off if it does not."""
        if self._ending is None and not self._outbox.wait_empty(CATCH_UP_SECONDS):
            self._overflowed()
        self.heard = time.monotonic()
        return self._ending is None

    def abort(self) -> None:
        """Ends the session from another thread at once, whatever is unsent."""
        self._outbox.abandon()

    def check(self, now: float) -> None:
        """Pings a client that is silent, and cuts it off if it stays so. To be called every second."""
        config = self._shared.config
        silent = now - self.heard
        if not self.name:
            # Who has said all there is to say waits for the server, which is what takes its time.
            if not self._asked and now - self.started > HANDSHAKE_SECONDS:
                text = f"no hello within {HANDSHAKE_SECONDS:.0f} seconds"
                self.cut(Error(code="timeout", text=text, fatal=True))
        elif silent > config.drop_after:
            text = f"nothing was heard from you for {config.drop_after:.0f} seconds"
            self.cut(Bye(code="timeout", text=text, retry=RETRY_SECONDS))
        elif silent > config.ping_after and not self._pinged:
            self._pinged = True
            self.send_frame(Ping())

    def _leave_rooms(self) -> None:
        quiet = self._shared.stopping.is_set()
        for room in list(self.rooms.values()):
            room.leave(self, quiet=quiet)
            if not quiet:
                self._shared.hub.close_if_unused(room)

    def _give_back_name(self) -> None:
        """Leaves all rooms; then others may have the name, or this client may come back to it."""
        name = self.name
        try:
            self._leave_rooms()
        finally:
            self._shared.hub.people.release(self)
            if self.ticket:
                self._shared.resumption.retire(self, name, self.ticket)

    def _close(self) -> None:
        name = self.name
        try:
            self._give_back_name()
            farewell = self.encode([self._ending]) if self._ending else b""
            self._outbox.finish(farewell, FLUSH_SECONDS)
            if self._ending:
                sockets.linger(self._sock)
        finally:
            self._sock.close()
            self._shared.doorstep.leave(self)
            self._shared.admission.release(self.address)
            self._shared.forget(self)
        if not name and not is_loopback(self.address):
            self._shared.refusals.note(self.address, self._reason)
            return
        who = f"{name} left" if name else "a connection ended"
        extra = {"client": name, "address": self.address, "reason": self._reason}
        log.info("%s (%s): %s", who, self.address, self._reason, extra=extra)


_ACTIONS: dict[type, Callable[..., None]] = {
    Hello: Session._hello_again,
    Tell: Session._tell,
    Join: Session._join,
    Part: Session._part,
    Rename: Session._rename,
    SetTopic: Session._topic,
    Who: Session._who,
    SetAway: Session._away,
    Whois: Session._whois,
    ListRooms: Session._list,
    AskHistory: Session._history,
    Search: Session._search,
    Moderate: Session._moderate,
    AskBans: Session._banned,
    SetMode: Session._mode,
    Redact: Session._redact,
    Invite: Session._invite,
    Ping: Session._ping,
    Register: Session._register,
    Login: Session._log_in,
    Pong: Session._pong,
    Leave: Session._bye,
}

# The codes of fatal errors that no client gets which does its part.
_OFFENCES = {
    "bad-frame": Offence.BROKEN,
    "too-long": Offence.BROKEN,
    "unknown-type": Offence.BROKEN,
    "timeout": Offence.SILENCE,
}


def _check_nonce(nonce: str) -> None:
    try:
        size = len(nonce.encode())
    except UnicodeEncodeError:
        raise FrameError("a nonce cannot hold lone surrogates") from None
    if size > MAX_NONCE:
        raise FrameError(f"a nonce has at most {MAX_NONCE} bytes")


def _error(
    error: Refused | FrameError, re: int | None, *, nonce: str | None = None, fatal: bool = False
) -> Error:
    wants = error.wants if isinstance(error, NotProven) else None
    return Error(code=error.code, text=str(error), re=re, nonce=nonce, fatal=fatal, wants=wants)
