"""One client's thread: it reads, has the dialect make messages of the bytes, and acts on them."""

from __future__ import annotations

import logging
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from chatctl.access.keys import Key
from chatctl.address import is_loopback
from chatctl.errors import Refused, StorageError
from chatctl.framing import Fault
from chatctl.messages import (
    MAX_AGENT,
    MAX_HANDSHAKE,
    Bye,
    ClientFrame,
    Error,
    Frame,
    Hello,
    Ping,
    Renamed,
    Role,
    error_of,
)
from chatctl.server import acting, identity, permissions, sockets
from chatctl.server.admission import CONNECTIONS, TokenBucket
from chatctl.server.dialects.choice import dialect_for
from chatctl.server.dialects.dialect import Dialect, Frames
from chatctl.server.dialects.native import Native
from chatctl.server.entrance import Entry, check_hello
from chatctl.server.first_bytes import Kind
from chatctl.server.line import Line
from chatctl.server.outbox import Outbox, wake_reader
from chatctl.server.penalties import Offence
from chatctl.server.people import NOBODY, Encode, Member
from chatctl.server.postbox import Postbox
from chatctl.server.proof import Proof
from chatctl.server.resumption import Ticket
from chatctl.server.room import Room
from chatctl.server.sealed import Unknown
from chatctl.server.shared import Shared
from chatctl.server.web.request import Place
from chatctl.text import one_line

log = logging.getLogger(__name__)

CATCH_UP_SECONDS = 30.0
FLUSH_SECONDS = 3.0
RETRY_SECONDS = 1
PATIENCE_SECONDS = 60.0  # for which a client waits for the server to check its password, at most
TLS_REQUIRED = "this server takes encrypted connections only: use "
WITH_TLS = "a version of chatctl join that has TLS, or openssl s_client instead of nc"
LONGEST_PAUSE = 1.0  # seconds in which a client that is held up looks whether it is still to be served


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
        served: it got something that it asked for over HTTP.
        posts_as: the name under which it posts over HTTP, as was logged; empty if it does not.
        heard: when the client was last heard, on the monotonic clock.
        spoke: when it last said or told something, or came in, on that clock.
        ending: the last frame the client gets, once that is known; nothing is acted on then.
        at: when it came in, in milliseconds since the Unix epoch.
        agent: what it calls itself, cleaned; empty if it does not say.
    """

    __slots__ = (
        "__weakref__",
        "_asked",
        "_bucket",
        "_dialect",
        "_line",
        "_outbox",
        "_pinged",
        "_postbox",
        "_reason",
        "_shared",
        "_sock",
        "address",
        "agent",
        "at",
        "author",
        "encode",
        "ending",
        "heard",
        "name",
        "person",
        "posts_as",
        "proof",
        "proving",
        "rooms",
        "send",
        "served",
        "spoke",
        "started",
        "ticket",
        "told_role",
        "tries",
    )

    def __init__(self, shared: Shared, sock: socket.socket, address: str) -> None:
        self._shared = shared
        self._sock = sock
        self.address = address
        self.name = self.author = self.agent = self.posts_as = ""
        self.person = NOBODY
        self.proof = Proof()
        self.at = 0
        self.rooms: dict[str, Room] = {}
        self._dialect: Dialect = Native()
        self.encode: Encode = self._dialect.encode
        self._outbox = Outbox(sock, shared.drainer, shared.config.outbox, self._overflowed)
        self._line = Line(sock, self._outbox, self, shared.doorstep)
        self.send: Callable[[bytes], None] = self._outbox.put
        config = shared.config
        self._bucket = TokenBucket(config.rate, config.burst) if config.rate else None
        self.ending: Error | Bye | None = None
        self.served = False
        self._reason = "closed the connection"
        self.started = self.heard = self.spoke = time.monotonic()
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
            self.end(error_of(refusal, fatal=True))
        except Exception:
            log.exception("the session of %s failed", self.name or self.address)
            self.end(Error(code="internal", text="the server made a mistake, sorry", fatal=True))
        finally:
            self._close()

    def _serve(self) -> None:
        frames = self._shake_hands()
        while frames is not None:
            self._act(frames)
            frames = self._hear() if self.ending is None else None

    def _hear(self) -> Frames | None:
        """Returns what the client says next; None once it says no more."""
        data = self._receive()
        if not data and self._line.lost:
            return None
        frames = self._feed(data)
        return frames if data or frames else None

    def _receive(self, size: int = 0) -> bytes:
        data = self._line.receive(size)
        if self._line.lost:
            self._reason = self._line.lost
        self.heard = time.monotonic()
        self._pinged = False
        return data

    def _feed(self, data: bytes) -> Frames:
        frames = self._dialect.feed(data)
        self._send_pending()
        return frames

    def _send_pending(self) -> None:
        if answer := self._dialect.pending():
            self.send(answer)

    # Coming in

    def _shake_hands(self) -> Frames | None:
        """Lets the client in; returns what came behind its hello, None if it does not come in."""
        data = self._begin()
        if data is None:
            return None
        left = MAX_HANDSHAKE
        frames = self._feed_first(data, left) if data else ()
        while self.ending is None:
            if not frames:
                left -= len(data)
                if left <= 0:
                    raise Refused("too-long", f"the first {MAX_HANDSHAKE} bytes do not say who you are")
                if not (data := self._receive(left)):
                    return None
                frames = self._feed_first(data, left)
            elif error := self._enter(frames[0]):
                frames = self._try_again(error)
            else:
                behind = [*frames[1:], *self._dialect.admitted(self)]
                self._send_pending()
                return behind
        return None

    def _feed_first(self, data: bytes, left: int) -> Frames:
        """Returns what `data` completes; nothing if its first frame does not end in `left` bytes."""
        frames = self._feed(data[:left])
        return [*frames, *self._feed(data[left:])] if frames and len(data) > left else frames

    def _begin(self) -> bytes | None:
        """Returns the first the client says, once it is clear what it speaks, and that it may.

        None if it got by HTTP what it came for.
        """
        kind, data, encrypted = self._recognize()
        self._reason = self._line.lost or self._reason
        if kind is None:
            return b""
        if kind is Kind.tls and encrypted:
            raise Refused("bad-frame", "this is TLS already")
        self.speak(dialect_for(kind))
        if kind is Kind.tls:
            raise Refused("tls", "asked for TLS, which is not offered here")
        if not encrypted and not self._shared.encryption.allows_plain(self.address):
            raise Refused("tls-required", TLS_REQUIRED + ("https://" if kind is Kind.http else WITH_TLS))
        if kind is Kind.http:
            return self._visit(data, encrypted=encrypted)
        if not data:
            self._send_pending()
        return data

    def _recognize(self) -> tuple[Kind | None, bytes, bool]:
        """Returns what the line finds out as it begins."""
        try:
            return self._line.begin(self._shared.encryption)
        except Unknown:
            # So ends each of the connections that a browser has begun before it goes on without an authority.
            self._shared.admission.credit(self.address, 1 - 1 / CONNECTIONS)
            raise

    def speak(self, dialect: Dialect) -> None:
        """Says from now on in `dialect` what it has to say, and understands what comes in it."""
        self._dialect = dialect
        self.encode = dialect.encode

    def _try_again(self, error: Error) -> Frames:
        """Ends the session with `error`, unless the client may try something else; returns what it tries."""
        frames = self._dialect.refused(error)
        if frames is None:
            self.end(error)
            return ()
        self._asked = 0.0
        self._send_pending()
        return frames

    def _enter(self, frame: ClientFrame | Fault) -> Error | None:
        """Acts on the first frame; returns why the client is not in, None if it is."""
        self._asked = time.monotonic()
        entrance = self._shared.entrance
        # Once it has its name others may have something for it, which comes behind the welcome.
        self._outbox.hold()
        try:
            hello, name, rooms = check_hello(frame)
            entry = entrance.enter(self, hello, name)
        except Refused as refusal:
            self._outbox.release(b"")
            number = frame.re if isinstance(frame, Fault) else frame.n
            return error_of(refusal, number, fatal=True)
        self._note_coming(hello, entry)
        self._outbox.release(self.encode([entrance.welcome(self, hello, entry)]))
        for room, after in rooms.items():
            try:
                acting.enter(self._shared, self, room, after, hello.backlog, None)
            except Refused as refusal:
                acting.refuse(self, refusal, hello)
        # What has changed since it was let in was not told to it, or held against it.
        identity.recheck(self._shared, self)
        self.open_postbox()
        return None

    def _note_coming(self, hello: Hello, entry: Entry) -> None:
        threading.current_thread().name = f"client-{self.name}"
        self.spoke = self.heard
        # Most clients call themselves the same: the server has it once.
        self.agent = sys.intern(one_line(hello.agent or "")[:MAX_AGENT])
        came = "came back" if entry.resumed else "came"
        agent = self.agent or "no agent"
        extra = {"client": self.name, "address": self.address}
        log.info("%s %s from %s (%s)", self.name, came, self.address, agent, extra=extra)

    def note_asking(self) -> None:
        """Notes that the client asks for what may take the server long."""
        self._asked = time.monotonic()

    def is_wanted(self) -> bool:
        """Returns whether the client still waits for what it asked for, and may."""
        return self.ending is None and time.monotonic() - self._asked < PATIENCE_SECONDS

    # HTTP

    def _visit(self, data: bytes, *, encrypted: bool) -> bytes | None:
        """Answers what the client asks for; returns what came behind that, None if nothing does."""
        # Imported here, since a server that no browser comes to does without.
        from chatctl.server.web.visit import Visit

        address, port = self._sock.getsockname()[:2]
        return Visit(self._shared, self, Place(address, port, encrypted)).serve(data)

    @property
    def ends(self) -> bool:
        """Whether what the client says is acted on no more."""
        return self.ending is not None

    def hear(self) -> bytes:
        """Returns what comes next; nothing once the client has gone, or the session ends."""
        return b"" if self.ending else self._receive()

    def attend(self) -> None:
        """Begins with something that the client has asked for, as soon as its rate allows that."""
        self._asked = time.monotonic()
        while self._bucket and self.ending is None and not self._bucket.take(1):
            self._shared.stopping.wait(min(self._bucket.wait(), LONGEST_PAUSE))

    def stay(self) -> None:
        """Notes that the client listens from now on, and need not say anything."""
        self._line.stay()
        self.served = True

    def wait_for_request(self) -> None:
        """Notes that the client has what it asked for, and its time anew to ask for something."""
        self.served = True
        self._asked = 0.0
        self.started = time.monotonic()

    def go_on(self, dialect: Dialect) -> None:
        """Speaks `dialect` from now on, in which the client has its time anew to come in."""
        self.wait_for_request()
        self.served = False
        self.speak(dialect)

    # Mail

    def open_postbox(self) -> None:
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
                sent = self._postbox.deliver(caught_up)
                # Who cannot say so has what their system has taken.
                if sent and not self._dialect.answers_pings and (caught_up or self._outbox.is_empty)():
                    self._postbox.confirm(sent)
            except StorageError as error:
                log.warning("%s does not get what is kept for them: %s", self.name, error)

    def confirm_mail(self, number: int) -> None:
        """Notes that the client has what it was sent, up to a number."""
        if self._postbox:
            with suppress(StorageError):  # It comes once more.
                self._postbox.confirm(number)

    # Being in

    def _act(self, frames: Frames) -> None:
        """Acts on frames in order, as fast as the client's rate allows."""
        if self._bucket is None:
            acting.perform(self._shared, self, frames)
            return
        done = 0
        while done < len(frames) and self.ending is None:
            taken = self._bucket.take(len(frames) - done)
            acting.perform(self._shared, self, frames[done : done + taken])
            done += taken
            if done < len(frames):
                # Reading on later is all the punishment: the client's own sending comes to a halt.
                self._shared.stopping.wait(min(self._bucket.wait(), LONGEST_PAUSE))
                self.heard = time.monotonic()

    def complain(self, error: Error) -> None:
        """Sends an error; a fatal one is the last frame the client gets."""
        if error.fatal:
            self.end(error)
        else:
            self.send_frame(error)

    def send_frame(self, frame: Frame) -> None:
        """Sends one frame, without waiting."""
        self.send(self.encode([frame]))

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

    def idle(self) -> float:
        """Returns the seconds since the client said something, or came in."""
        return time.monotonic() - self.spoke

    # Ending

    def leave(self, re: int | None) -> None:
        """Ends the session as the client wants it; its own thread calls this."""
        self._reason = "said bye"
        self._leave_rooms()
        self.end(Bye(code="bye", text="goodbye", re=re))

    def cut(self, ending: Error | Bye) -> None:
        """Ends the session from another thread: `ending` is the last frame the client gets."""
        self.end(ending)
        # Though it is ending already, it may still wait for the client.
        self._outbox.stop_waiting()
        wake_reader(self._sock)

    def expel(self, ending: Bye) -> None:
        """Ends the session as `cut` does; nobody comes back to it."""
        if self.ticket:
            self._shared.resumption.revoke(self.ticket)
        self.cut(ending)

    def end(self, ending: Error | Bye) -> None:
        """Makes `ending` the last frame the client gets; whatever it sends from now on is not acted on."""
        if self.ending is None:
            self.ending = ending
            if isinstance(ending, Error) and not self.served and (offence := _OFFENCES.get(ending.code)):
                self._shared.admission.penalize(self.address, offence)
            if ending.code != "bye":
                self._reason = f"{ending.code}: {ending.text}"

    def _overflowed(self) -> bytes:
        """Called by the outbox, which is full: returns the farewell."""
        self.end(Bye(code="slow-consumer", text="you are not reading what is sent", retry=RETRY_SECONDS))
        return self._farewell()

    def _farewell(self) -> bytes:
        return self._dialect.farewell(self.ending) if self.ending else b""

    def caught_up(self) -> bool:
        """Waits until the client has taken what was sent; cuts it off if it does not."""
        if self.ending is None and not self._outbox.wait_empty(CATCH_UP_SECONDS):
            self._overflowed()
        self.heard = time.monotonic()
        return self.ending is None

    def abort(self) -> None:
        """Ends the session from another thread at once, whatever is unsent."""
        self._outbox.abandon()

    def check(self, now: float) -> None:
        """Pings a client that is silent, and cuts it off if it stays so. To be called every second."""
        config = self._shared.config
        silent = now - self.heard
        if not self.name:
            # Who has said all there is to say waits for the server, which is what takes its time.
            if not self._asked and now - self.started > self._dialect.seconds:
                text = f"you did not say who you are within {self._dialect.seconds:.0f} seconds"
                self.cut(Error(code="timeout", text=text, fatal=True))
        elif not self._dialect.answers_pings:
            return  # That the connection is gone is noticed by the system.
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
            self._outbox.finish(self._farewell(), FLUSH_SECONDS)
            if self.ending or self.served:
                sockets.linger(self._sock)
        finally:
            self._sock.close()
            self._shared.doorstep.leave(self)
            self._shared.admission.release(self.address)
            self._shared.forget(self)
        if not name and self.served:
            return
        if not name and not is_loopback(self.address):
            self._shared.refusals.note(self.address, self._reason)
            return
        who = f"{name} left" if name else "a connection ended"
        extra = {"client": name, "address": self.address, "reason": self._reason}
        log.info("%s (%s): %s", who, self.address, self._reason, extra=extra)


# The codes of fatal errors that no client gets which does its part.
_OFFENCES = {
    "bad-frame": Offence.BROKEN,
    "too-long": Offence.BROKEN,
    "unknown-type": Offence.BROKEN,
    "timeout": Offence.SILENCE,
}
