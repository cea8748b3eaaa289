"""A room: its members, and how what one of them says reaches the others. Knows no sockets.

Publishing is combined. Whoever posts appends to the room's pending queue and tries to get the turn. The one
who gets it takes everything pending, has the log number it, encodes it once for each dialect and sends it to
every member; the others go back to reading at once. Under load batches grow, and the cost of a message falls;
a lone message goes out on its own poster's thread.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Protocol

from msgspec import Struct, structs

from chatctl.errors import Refused, StorageError
from chatctl.history.log import Log, Post
from chatctl.messages import (
    MAX_MEMBERS_SHOWN,
    Ack,
    Error,
    Frame,
    Gap,
    Mode,
    Msg,
    Presence,
    Redacted,
    Renamed,
    RoomState,
    Topic,
)
from chatctl.names import fold
from chatctl.server.people import NOBODY, Encode, Member, Person

log = logging.getLogger(__name__)

SMALL_ROOM = 100  # members up to which every coming and going is told at once
MAX_NAMES_TOLD = 100  # names in one list of a gathered presence
MAX_BATCH = 64 * 1024  # characters delivered in one go, unless a single post set has more
POST_SIZE = 32  # characters that a post counts for besides its text
MAX_PENDING = 64  # post sets that may wait before those who post more wait too
MAX_TURNS = 1  # batches one poster delivers before the next who posts takes over
GATHER_SHARE = 0.3  # of what sending took, waited before the next delivery
MAX_GATHER = 0.02  # seconds
REPLAY_PAGE = 64 * 1024  # characters of text replayed before waiting for the client
REPLAY_MESSAGES = 100  # messages read from the log at once


class Visitor(Member, Protocol):
    """What a room needs of a connection that comes in.

    Attributes:
        rooms: those it is in, by name; the rooms themselves keep it.
    """

    rooms: dict[str, Room]

    def may_enter(self, room: str) -> bool:
        """Returns whether it may be in a room. Asked also while a replay goes on."""


class PostSet(Struct, gc=False):
    """Posts of one member for one room, delivered together.

    Attributes:
        numbers: for each post the ``n`` of its frame, repeated in its ack.
        nonced: whether any post has a nonce, and so an ack.
        size: characters, of the texts and `POST_SIZE` for each.
        outside: whether its member is not in the room: it gets acks alone, and one for each post. Then
            `nonced` is true.
    """

    member: Member
    posts: list[Post]
    numbers: list[int | None]
    nonced: bool
    size: int
    outside: bool = False


class Room:
    """One room.

    Args:
        name: as `names.check_room` returns it.
        log: keeps what is said.
        mode: what is allowed in it; None where everything is.

    Attributes:
        closed: the room was dropped, nobody can enter it any more.

    Raises:
        StorageError: the log cannot be read.
    """

    def __init__(self, name: str, log: Log, mode: Mode | None = None) -> None:
        self.name = name
        self._mode = mode
        topic = log.topic(name)
        self.topic = topic.text if topic else ""
        self.closed = False
        self._log = log
        self._newest = log.bounds(name)[1]
        self._turn = threading.Lock()  # whoever has it delivers what is pending
        self._lock = threading.Lock()  # guards all below but the pending queue
        self._pending: deque[PostSet] = deque()
        self._waiting: deque[None] = deque()  # one entry for each thread that waits for its turn
        self._tired = False  # whoever has the turn delivers for others only: the next who posts takes over
        self._resume = 0.0  # when the next delivery may begin, on the monotonic clock
        self._members: dict[Encode, dict[Member, Person]] = {}  # each as whose it is counted
        self._people: dict[Person, int] = {}  # those who are here, and on how many devices
        self._changes = 0  # of what a `room` frame tells, but for messages
        self._untold = False  # somebody came or went, and the members are still to be told
        self._arriving: dict[Member, list[Frame]] = {}  # what those must be told who are in a long replay
        self._came: dict[str, None] = {}
        self._went: dict[str, None] = {}

    # What is said

    def publish(self, posted: PostSet) -> None:
        """Delivers `posted`, or leaves that to whoever is delivering right now.

        It waits for them, and takes over, where too much is pending or they deliver for others only.
        """
        self._pending.append(posted)
        self._combine(wait=len(self._pending) > MAX_PENDING or (self._tired and not self._waiting))

    def _combine(self, *, wait: bool) -> None:
        turns = 0
        # A thread that does not get its turn leaves its posts to the one who has it. So that one looks again
        # after each release: what was appended just before it would be left lying. Only when another thread
        # is sure to follow may it go, and see to its own client, whose posts pile up unread.
        while self._pending and not (turns >= MAX_TURNS and self._waiting):
            if not self._acquire_turn(wait=wait):
                return
            self._tired = turns >= MAX_TURNS
            try:
                if self._pending:
                    self._gather()
                    with self._lock:
                        self._deliver(self._take())
            finally:
                self._turn.release()
            wait = False
            turns += 1

    def _acquire_turn(self, *, wait: bool) -> bool:
        if not wait:
            return self._turn.acquire(blocking=False)
        self._waiting.append(None)
        self._turn.acquire()
        self._waiting.pop()
        return True

    def _gather(self) -> None:
        """Waits a moment after the last delivery, so that more is delivered in one go.

        What a delivery costs hardly depends on how much it carries. In a room that is not busy the moment
        has long passed.
        """
        moment = self._resume - time.monotonic()
        if moment > 0:
            time.sleep(moment)

    @contextmanager
    def _settled(self) -> Iterator[None]:
        """Holds the lock, with all that was pending delivered first."""
        with self._lock:
            pending = len(self._pending)
            while pending > 0:
                batch = self._take()
                self._deliver(batch)
                pending -= len(batch)
            yield

    def _take(self) -> list[PostSet]:
        """Takes what is pending, up to the size of a batch; the lock is held."""
        assert self._lock.locked()
        batch: list[PostSet] = []
        size = 0
        while self._pending and size < MAX_BATCH:
            posted = self._pending.popleft()
            size += posted.size
            batch.append(posted)
        return batch

    def _deliver(self, batch: list[PostSet]) -> None:
        """Logs a batch, then sends it to every member; the lock is held."""
        assert self._lock.locked()
        if not batch:
            return
        if self.closed:  # Those who post from outside do not keep it open.
            _refuse(batch, "closed", "that room was dropped just now")
            return
        try:
            messages = self._log.append(self.name, [post for posted in batch for post in posted.posts])
            self._send(batch, messages)
        except StorageError as error:
            _refuse(batch, error.code, str(error))
        except Exception:
            # Whoever has the turn, or comes in, must not pay for it, nor those whose posts still wait.
            log.exception("a delivery in #%s failed", self.name)
            _refuse(batch, "internal", "the server made a mistake, sorry")

    def _send(self, batch: list[PostSet], messages: list[Msg]) -> None:
        """Sends a batch that was logged to every member."""
        # Waiting for the log is not counted: meanwhile others were read, as while more is gathered.
        begun = time.monotonic()
        fresh, acks = self._sort_out(batch, messages)
        for encode, members in self._members.items():
            parts = [encode(part) for part in fresh]
            own: dict[Member, list[bytes]] = {}
            for place, posted in enumerate(batch):
                if posted.member.encode is encode:
                    own.setdefault(posted.member, parts.copy())[place] = encode(acks[place])
            everyone = b"".join(parts)
            for member in members:
                if data := b"".join(own[member]) if member in own else everyone:
                    member.send(data)
        for posted, ack in zip(batch, acks, strict=True):
            if posted.outside:
                posted.member.send(posted.member.encode(ack))
        ended = time.monotonic()
        self._resume = ended + min(GATHER_SHARE * (ended - begun), MAX_GATHER)

    def _sort_out(self, batch: list[PostSet], messages: list[Msg]) -> tuple[list[list[Msg]], list[list[Ack]]]:
        """Returns, for each post set, what the others get of it and what its member gets."""
        fresh: list[list[Msg]] = []
        acks: list[list[Ack]] = []
        start = 0
        for posted in batch:
            part = messages[start : start + len(posted.posts)]
            start += len(part)
            if posted.nonced:
                acks.append(_acks(posted, part))
                part = self._without_repeats(part)
            else:
                acks.append([])
                self._newest = part[-1].id
            fresh.append(part)
        return fresh, acks

    def _without_repeats(self, messages: list[Msg]) -> list[Msg]:
        """Returns what is new, without the nonces, which are nobody else's business."""
        fresh = []
        for m in messages:
            if m.id > self._newest:
                self._newest = m.id
                fresh.append(Msg(m.id, m.at, m.room, m.name, m.text, m.kind))
        return fresh

    # Who is here

    @property
    def count(self) -> int:
        """How many people are in the room."""
        return len(self._people)

    @property
    def newest(self) -> int:
        """The newest id."""
        return self._newest

    def people(self, limit: int) -> list[Person]:
        """Returns at most `limit` people, those who came first."""
        with self._lock:
            return list(islice(self._people, limit))

    def enter(self, member: Visitor, after: int | None, backlog: int, re: int | None) -> bool:
        """Makes `member` a member, and sends it the state of the room and what it missed.

        One that is `NOBODY` follows what is said, and nobody is told.

        Args:
            member: is not in the room yet.
            after: the last id it has seen; None for a fresh join.
            backlog: earlier messages that a fresh join replays, at most.
            re: the number of the frame that asked for it.

        Returns:
            False if the room was closed or the member cut off: it is not in the room.

        Raises:
            Refused: ``forbidden``: the member may not be in it, or no longer; ``storage``: the log cannot be
                read. It is not in the room.
        """
        with self._settled():
            self._demand_entry(member)
            if self.closed:
                return False
            frames, seen = self._opening(member, after, backlog, re)
            page, more = self._page(seen)
            if not more:
                member.send(member.encode(frames) + _encode_replay(member, page))
                self._admit(member)
                return True
            changes = self._changes
            self._arriving[member] = []
            member.send(member.encode(frames))
        try:
            return self._enter_slowly(member, seen, changes)
        finally:
            with self._lock:
                del self._arriving[member]

    def _enter_slowly(self, member: Visitor, seen: int, changes: int) -> bool:
        """Replays page by page, each read by the client before the next is made, without the lock."""
        more = True
        while more:
            page, more = self._page(seen)
            member.send(self._catch_up(member, seen, page))
            seen = page[-1].id if page else seen
            if not member.caught_up():
                return False
            self._demand_entry(member)
        with self._settled():
            self._demand_entry(member)
            if self.closed:
                return False
            if self._changes != changes:
                member.send(member.encode([self._state(member, None)]))
            while page := self._log.read(self.name, seen, REPLAY_MESSAGES):
                member.send(self._catch_up(member, seen, page))
                seen = page[-1].id
            if seen < self._newest:
                member.send(member.encode([Gap(self.name, seen, self._newest + 1)]))
            if told_later := self._arriving[member]:
                member.send(member.encode(told_later))
            self._admit(member)
        return True

    def _catch_up(self, member: Member, seen: int, page: list[Msg]) -> bytes:
        """Encodes a page that follows id `seen`, with a gap before it if some was dropped meanwhile."""
        dropped = page and page[0].id > seen + 1
        gap = member.encode([Gap(self.name, seen, page[0].id)]) if dropped else b""
        return gap + _encode_replay(member, page)

    def show(self, member: Visitor, re: int | None) -> None:
        """Tells `member`, who is in the room, its state."""
        with self._settled():
            self._demand_entry(member)
            member.send(member.encode(self._look(member, re)))

    def _demand_entry(self, member: Visitor) -> None:
        if not member.may_enter(self.name):
            raise Refused("forbidden", f"you may not be in #{self.name}")

    def _opening(
        self, member: Member, after: int | None, backlog: int, re: int | None
    ) -> tuple[list[Frame], int]:
        """Returns the frames that open the room, and the id after which the replay begins."""
        frames = self._look(member, re)
        oldest, last = self._log.bounds(self.name)
        # An id that was never given comes from an earlier life of a log that was not kept.
        if after is None or after > last:
            return frames, max(oldest - 1, last - backlog)
        if after + 1 < oldest:
            frames.append(Gap(self.name, after, oldest))
        return frames, max(oldest - 1, after)

    def _look(self, member: Member, re: int | None) -> list[Frame]:
        """Returns the frames that tell `member` what the room looks like, and what is allowed in it."""
        state = self._state(member, re)
        return [state, self._mode] if self._mode else [state]

    def _state(self, member: Member, re: int | None) -> RoomState:
        """Returns what the room looks like with `member` in it."""
        person = member.person
        others = [other.name for other in islice(self._people, MAX_MEMBERS_SHOWN) if other is not person]
        return RoomState(
            room=self.name,
            topic=self.topic,
            count=self.count if person in self._people else self.count + 1,
            members=[*others[: MAX_MEMBERS_SHOWN - 1], member.name],
            last=self._newest,
            re=re,
        )

    def _page(self, after: int) -> tuple[list[Msg], bool]:
        """Reads on after id `after`; returns a page, and whether there is more."""
        page = self._log.read(self.name, after, REPLAY_MESSAGES)
        size = 0
        for place, message in enumerate(page):
            size += len(message.text)
            if size > REPLAY_PAGE and place:
                return page[:place], True
        return page, bool(page) and page[-1].id < self._newest

    def _admit(self, member: Visitor) -> None:
        assert self._lock.locked()
        self._changes += 1
        person = member.person
        if person is not NOBODY:
            if person not in self._people:
                self._tell_presence(member.name, joined=True, count=self.count + 1)
            self._count_in(person)
        self._members.setdefault(member.encode, {})[member] = person
        member.rooms[self.name] = self

    def _count_in(self, person: Person) -> None:
        self._people[person] = self._people.get(person, 0) + 1

    def _count_out(self, person: Person) -> bool:
        """Counts one device of somebody out; returns whether it was the last."""
        self._people[person] -= 1
        if self._people[person]:
            return False
        del self._people[person]
        return True

    def leave(
        self, member: Visitor, *, re: int | None = None, answer: bool = False, quiet: bool = False
    ) -> None:
        """Lets `member` go, after what it posted is delivered. The others are told if its person is gone.

        Args:
            member: is in the room, or was never let in.
            re: the number of the frame that asked for it.
            answer: `member` itself is told too.
            quiet: nobody is told, because everybody is leaving.
        """
        with self._settled():
            members = self._members.get(member.encode, {})
            if member not in members:
                return
            del member.rooms[self.name]
            self._changes += 1
            person = members.pop(member)
            if person is not NOBODY and self._count_out(person) and not quiet:
                self._tell_presence(member.name, joined=False, count=self.count)
            if answer:
                gone = Presence(room=self.name, joined=[], left=[member.name], count=self.count, re=re)
                member.send(member.encode([gone]))

    def _tell_presence(self, name: str, *, joined: bool, count: int, without: Member | None = None) -> None:
        """Tells the members who came or went: at once in a small room, else when presence is flushed."""
        if count > SMALL_ROOM or self._untold:
            self._untold = True
            here, there = (self._came, self._went) if joined else (self._went, self._came)
            # Both are told where one came and went: those who came in between know of one, not of the other.
            there.pop(name, None)
            here[name] = None
            return
        came, went = ([name], []) if joined else ([], [name])
        self._broadcast(Presence(room=self.name, joined=came, left=went, count=count), without)

    def flush_presence(self) -> None:
        """Tells the members what was gathered of who came and went. To be called once a second."""
        if not self._untold:
            return
        with self._settled():
            self._untold = False
            came, went = (list(islice(names, MAX_NAMES_TOLD)) for names in (self._came, self._went))
            self._came.clear()
            self._went.clear()
            self._broadcast(Presence(room=self.name, joined=came, left=went, count=self.count))

    def rename(self, member: Member, old: str, told: set[Member]) -> None:
        """Tells the members that `member` is no longer called `old`.

        Args:
            member: is in the room. It may be somebody else's by now: where that one is here already, `old`
                has left.
            old: what they were called.
            told: those who know of the new name by now, and are not told again.
        """
        with self._settled():
            devices = self._members.get(member.encode, {})
            if member not in devices:  # Somebody had it leave just now.
                return
            self._changes += 1
            if (person := member.person) is not devices[member]:
                self._count_out(devices[member])
                self._count_in(person)
                devices[member] = person
                if self._people[person] > 1:
                    self._tell_presence(old, joined=False, count=self.count, without=member)
                    return
            self._went.pop(member.name, None)
            if old in self._came:
                del self._came[old]
                self._came[member.name] = None
            told.add(member)
            self._spread(Renamed(old, member.name), told)

    def set_topic(self, member: Member, text: str, re: int | None) -> None:
        """Sets the topic, and tells every member.

        Raises:
            StorageError: it cannot be kept, and was not set.
        """
        with self._settled():
            topic = Topic(self.name, text, member.name, int(time.time() * 1000))
            self._log.set_topic(topic)
            self.topic = text
            self._changes += 1
            self._broadcast(topic, without=member)
            member.send(member.encode([Topic(topic.room, topic.text, topic.name, topic.at, re)]))

    def set_mode(self, member: Member, change: Callable[[], Mode], re: int | None) -> bool:
        """Changes what is allowed in the room, and tells every member.

        Args:
            member: may do that, and need not be in the room.
            change: keeps what is allowed from now on, and returns it.
            re: the number of the frame that asked for it.

        Returns:
            False if the room was closed: nothing was changed.

        Raises:
            Refused: by `change`; nothing was changed.
        """
        with self._settled():
            if self.closed:
                return False
            mode = change()
            plain = structs.replace(mode, name=None)
            self._mode = None if plain == Mode(room=self.name) else plain
            for told_later in self._arriving.values():
                told_later.append(mode)
            self._broadcast(mode, without=member)
            member.send(member.encode([structs.replace(mode, re=re)]))
            return True

    def tell(self, frame: Frame, told: set[Member]) -> None:
        """Sends a frame to the members, but for those who were `told`."""
        with self._settled():
            self._spread(frame, told)

    def _spread(self, frame: Frame, told: set[Member]) -> None:
        """Sends a frame to the members, but for those who were `told`; the lock is held."""
        assert self._lock.locked()
        for encode, members in self._members.items():
            data = encode([frame])
            for member in members.keys() - told:
                member.send(data)
            told.update(members)

    def redact(self, member: Member, id_: int, reason: str, re: int | None) -> None:
        """Takes away what a message says, for good, and tells every member.

        Args:
            member: may do that, and need not be in the room.
            id_: of the message.
            reason: as the protocol allows it; may be empty.
            re: the number of the frame that asked for it.

        Raises:
            Refused: ``no-such-message``, there is none, or it is no longer kept.
            StorageError: it could not be redacted.
        """
        with self._settled():
            if self._log.redact(self.name, id_) is None:
                raise Refused("no-such-message", f"no message {id_} is kept in #{self.name}")
            redacted = Redacted(self.name, id_, member.name, reason)
            # What they are sent right now may have been read before.
            for told_later in self._arriving.values():
                told_later.append(redacted)
            self._broadcast(redacted, without=member)
            member.send(member.encode([structs.replace(redacted, re=re)]))

    def _broadcast(self, frame: Frame, without: Member | None = None) -> None:
        """Sends one frame to every member; the lock is held."""
        assert self._lock.locked()
        for encode, members in self._members.items():
            data = encode([frame])
            for member in members:
                if member is not without:
                    member.send(data)

    def close_if_idle(self, *, even_with_messages: bool = False) -> bool:
        """Closes the room for good if nobody is in it, or follows it; returns whether it is closed."""
        with self._settled():
            if not any(self._members.values()) and (even_with_messages or not (self._newest or self.topic)):
                self.closed = True
            return self.closed


def _acks(posted: PostSet, messages: list[Msg]) -> list[Ack]:
    return [
        Ack(nonce=post.nonce or "", at=message.at, room=message.room, id=message.id, re=n)
        for post, message, n in zip(posted.posts, messages, posted.numbers, strict=True)
        if post.nonce is not None or posted.outside
    ]


def _refuse(batch: list[PostSet], code: str, text: str) -> None:
    """Tells those who posted that it was not delivered."""
    for posted in batch:
        posted.member.send(
            posted.member.encode(
                Error(code=code, text=text, re=n, nonce=post.nonce)
                for post, n in zip(posted.posts, posted.numbers, strict=True)
            )
        )


def _encode_replay(member: Member, messages: list[Msg]) -> bytes:
    """Encodes earlier messages for `member`."""
    return member.encode(as_seen_by(member.author, messages))


def as_seen_by(author: str, messages: list[Msg]) -> list[Msg]:
    """Returns earlier messages as `author` gets them: nobody sees the nonces of others."""
    return [
        m if m.nonce is None or fold(m.name) == author else Msg(m.id, m.at, m.room, m.name, m.text, m.kind)
        for m in messages
    ]
