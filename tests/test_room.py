"""A room and its members: who gets what is said, in which order, and what whoever comes in is shown."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chatctl.errors import Refused, StorageError
from chatctl.framing import encode, encode_all, server_frames
from chatctl.history.log import Log, Post, Retention
from chatctl.history.memory import MAX_MESSAGES, MemoryLog
from chatctl.history.sqlite import IDLE_SECONDS, SqliteLog
from chatctl.messages import (
    MAX_MEMBERS_SHOWN,
    Ack,
    Frame,
    Gap,
    Kind,
    Msg,
    Presence,
    Redacted,
    Renamed,
    RoomState,
    ServerFrame,
    Topic,
)
from chatctl.names import fold
from chatctl.server.people import Member, Person
from chatctl.server.room import (
    MAX_NAMES_TOLD,
    MAX_PENDING,
    MAX_TURNS,
    REPLAY_MESSAGES,
    REPLAY_PAGE,
    SMALL_ROOM,
    PostSet,
    Room,
)
from tests.helpers import SECONDS, wait_for


def encode_singly(frames: Iterable[Frame]) -> bytes:
    """Another dialect, although its bytes are the same."""
    return b"".join(map(encode, frames))


class Guest:
    """A member that keeps what it is sent."""

    def __init__(
        self,
        name: str,
        dialect: Callable[[Iterable[Frame]], bytes] = encode_all,
        person: Person | None = None,
    ) -> None:
        self.name = name
        self.author = fold(name)
        self.person = person or Person(name)
        self.encode = dialect
        self.rooms: dict[str, Room] = {}
        self.barred: set[str] = set()
        self.sent: list[bytes] = []
        self.reads = True
        self.meanwhile: Callable[[], object] = lambda: None

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def may_enter(self, room: str) -> bool:
        return room not in self.barred

    def caught_up(self) -> bool:
        """Does what the test wants done while the room waits for this member."""
        self.meanwhile()
        return self.reads

    def frames(self) -> list[ServerFrame]:
        """Returns what came since it was asked last."""
        data = b"".join(self.sent)
        self.sent.clear()
        got = server_frames().feed(data)
        assert encode_all(got) == data  # type: ignore[arg-type]  # a Fault is not encoded the same
        return got  # type: ignore[return-value]  # a fault would fail the test all the same

    def say(self, room: Room, *texts: str, nonces: bool = False, kind: Kind = "text") -> None:
        """Posts all `texts` in one set, each as its own nonce if `nonces`."""
        posts = [Post(self.name, self.author, text, kind, text if nonces else None) for text in texts]
        room.publish(PostSet(self, posts, [None] * len(posts), nonces, sum(map(len, texts))))


@pytest.fixture(params=["memory", "disk"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Log]:
    """A log of either kind, which keeps as much: a room does not know which one it has."""
    keep = Retention(messages=MAX_MESSAGES)
    with closing(MemoryLog() if request.param == "memory" else SqliteLog(tmp_path, keep)) as log:
        yield log


def tidy(log: Log) -> None:
    """Has a log forget what it is to forget."""
    while log.tidy() != IDLE_SECONDS:  # which it also exceeds, where a step took long
        pass


@pytest.fixture
def room(log: Log) -> Room:
    return Room("lobby", log)


def enter(room: Room, *names: str, dialect: Callable[[Iterable[Frame]], bytes] = encode_all) -> list[Guest]:
    """Lets guests in; what that tells them and each other is thrown away."""
    guests = [Guest(name, dialect) for name in names]
    for guest in guests:
        assert room.enter(guest, None, 0, None)
    for guest in guests:
        guest.sent.clear()
    return guests


def crowd(room: Room, count: int) -> list[Guest]:
    return enter(room, *(f"g{number}" for number in range(count)))


def of_type(frames: Iterable[object], struct: type[Any]) -> list[Any]:
    return [frame for frame in frames if isinstance(frame, struct)]


def message(id_: int, name: str, text: str, kind: Kind = "text") -> dict[str, Any]:
    """Returns what a message is like, but for its time."""
    return {"t": "msg", "id": id_, "room": "lobby", "name": name, "text": text} | (
        {"kind": kind} if kind != "text" else {}
    )


def plain(frames: Iterable[object]) -> list[dict[str, Any]]:
    """Returns frames as they are on the wire, without times."""
    lines = [json.loads(encode(frame)) for frame in frames]  # type: ignore[arg-type]  # a Fault is not encoded the same
    return [{key: value for key, value in line.items() if key != "at"} for line in lines]


def follow(frames: Iterable[object], after: int) -> int:
    """Checks that every number after `after` comes once, in order, or is in a gap; returns the last one."""
    last = after
    for frame in frames:
        if isinstance(frame, Gap):
            assert frame.after == last
            assert frame.before > last + 1
            last = frame.before - 1
        elif isinstance(frame, (Msg, Ack)):
            assert frame.id == last + 1
            last = frame.id
    return last


def together(*calls: Callable[[], object]) -> None:
    """Makes calls at the same time, on a thread each, and waits for them to end."""
    barrier = threading.Barrier(len(calls))
    failed: list[BaseException] = []

    def run(call: Callable[[], object]) -> None:
        try:
            barrier.wait(SECONDS)
            call()
        except Exception as failure:  # noqa: BLE001
            failed.append(failure)

    threads = [threading.Thread(target=run, args=(call,), daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert not any(thread.is_alive() for thread in threads)
    assert not failed, failed


# What is said


def test_the_guests_are_members() -> None:
    member: Member = Guest("ann")
    assert member.caught_up()


def test_everyone_else_gets_what_is_said(room: Room) -> None:
    ann, bob, eve = enter(room, "ann", "bob", "eve")
    ann.say(room, "one", "two\n")
    bob.say(room, "waves", kind="action")
    expected = [message(1, "ann", "one"), message(2, "ann", "two\n"), message(3, "bob", "waves", "action")]
    assert plain(eve.frames()) == expected
    assert plain(bob.frames()) == expected[:2]
    assert plain(ann.frames()) == expected[2:]
    assert room.newest == 3


def test_a_post_with_a_nonce_is_acked_in_its_place(room: Room, log: Log) -> None:
    ann, bob = enter(room, "ann", "bob")
    bob.say(room, "first")
    posts = [
        Post("ann", "ann", "a", "text", "n1"),
        Post("ann", "ann", "b", "text", None),
        Post("ann", "ann", "c", "text", "n2"),
    ]
    room.publish(PostSet(ann, posts, [7, 8, None], True, 3))
    bob.say(room, "last")
    messages = log.read("lobby", 0, 10)
    assert ann.frames() == [
        messages[0],
        Ack(nonce="n1", at=messages[1].at, room="lobby", id=2, re=7),
        Ack(nonce="n2", at=messages[3].at, room="lobby", id=4),
        messages[4],
    ]
    # The nonces are nobody else's business.
    assert plain(bob.frames()) == [message(2, "ann", "a"), message(3, "ann", "b"), message(4, "ann", "c")]


def test_nobody_is_sent_nothing(room: Room) -> None:
    ann, bob = enter(room, "ann", "bob")
    ann.say(room, "one")
    assert ann.sent == []
    assert len(bob.sent) == 1


def test_a_repeat_is_acked_again_and_not_delivered(room: Room, log: Log) -> None:
    ann, bob = enter(room, "ann", "bob")
    ann.say(room, "a", "b", nonces=True)
    first = ann.frames()
    bob.frames()
    ann.say(room, "a", "b", nonces=True)
    assert ann.frames() == first
    assert bob.sent == []
    ann.say(room, "b", "c", "c", nonces=True)
    assert [(ack.nonce, ack.id) for ack in of_type(ann.frames(), Ack)] == [("b", 2), ("c", 3), ("c", 3)]
    assert plain(bob.frames()) == [message(3, "ann", "c")]
    assert log.bounds("lobby") == (1, 3)


def test_a_repeat_from_another_connection_of_the_same_name(room: Room) -> None:
    ann, bob = enter(room, "ann", "bob")
    ann.say(room, "a", nonces=True)
    room.leave(ann)
    (again,) = enter(room, "Ann")
    bob.frames()
    again.say(room, "a", nonces=True)
    assert [ack.id for ack in of_type(again.frames(), Ack)] == [1]
    assert bob.sent == []


def test_the_same_nonce_of_someone_else_is_no_repeat(room: Room) -> None:
    ann, bob, eve = enter(room, "ann", "bob", "eve")
    ann.say(room, "a", nonces=True)
    bob.say(room, "a", nonces=True)
    assert plain(eve.frames()) == [message(1, "ann", "a"), message(2, "bob", "a")]


def test_numbers_go_on_where_the_log_has_them(log: Log) -> None:
    log.append("lobby", [Post("ann", "ann", "old")] * 5)
    room = Room("lobby", log)
    assert room.newest == 5
    bob, eve = enter(room, "bob", "eve")
    bob.say(room, "new", nonces=True)
    assert plain(eve.frames()) == [message(6, "bob", "new")]


def test_every_dialect_gets_the_same(room: Room) -> None:
    ann, bob = enter(room, "ann", "bob")
    eve, jim = enter(room, "eve", "jim", dialect=encode_singly)
    for guest in (ann, bob):
        guest.sent.clear()
    assert room.count == 4
    ann.say(room, "a", nonces=True)
    eve.say(room, "b", nonces=True)
    assert plain(bob.frames()) == plain(jim.frames()) == [message(1, "ann", "a"), message(2, "eve", "b")]
    assert plain(ann.frames())[1:] == [message(2, "eve", "b")]
    assert plain(eve.frames())[:1] == [message(1, "ann", "a")]


@pytest.fixture
def restless() -> Iterator[None]:
    """Makes threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("restless")
def test_order_and_no_gaps_with_many_posting_at_once(room: Room, log: Log) -> None:
    acked = enter(room, "a1", "a2", "a3")
    silent = enter(room, "s1", "s2")
    listeners = enter(room, "l1", "l2", "l3", dialect=encode_singly)
    for guest in [*acked, *silent]:
        guest.sent.clear()

    def post(guest: Guest, nonces: bool) -> Callable[[], None]:
        def run() -> None:
            for number in range(60):
                guest.say(
                    room,
                    *(f"{guest.name} {number} {place}" for place in range(number % 3 + 1)),
                    nonces=nonces,
                )

        return run

    together(*(post(guest, True) for guest in acked), *(post(guest, False) for guest in silent))
    total = 5 * 120
    everything = log.read("lobby", 0, MAX_MESSAGES)
    assert len(everything) == total
    for listener in listeners:
        frames = listener.frames()
        assert follow(frames, 0) == total
        assert [(frame.name, frame.text) for frame in of_type(frames, Msg)] == [
            (m.name, m.text) for m in everything
        ]
        assert not [frame for frame in of_type(frames, Msg) if frame.nonce]
    for guest in acked:
        frames = guest.frames()
        assert follow(frames, 0) == total
        own = [m for m in everything if m.name == guest.name]
        assert [(ack.nonce, ack.id) for ack in of_type(frames, Ack)] == [(m.text, m.id) for m in own]
        assert not [frame for frame in of_type(frames, Msg) if frame.name == guest.name]
    for guest in silent:
        frames = guest.frames()
        assert [frame.id for frame in of_type(frames, Msg)] == [
            m.id for m in everything if m.name != guest.name
        ]
        assert not of_type(frames, Ack)
        # Everyone's own posts stand in the order in which they were made.
    for guest in [*acked, *silent]:
        texts = [m.text for m in everything if m.name == guest.name]
        assert texts == [f"{guest.name} {n} {place}" for n in range(60) for place in range(n % 3 + 1)]


@pytest.mark.parametrize("replies", [1, MAX_TURNS, MAX_TURNS + 1, 9 * MAX_TURNS])
def test_what_is_posted_during_a_delivery_is_not_left_lying(room: Room, replies: int) -> None:
    ann, bob, eve = enter(room, "ann", "bob", "eve")
    left = iter(range(replies))
    keep = bob.send
    posting: list[threading.Thread] = []

    def reply(data: bytes) -> None:
        keep(data)
        if (number := next(left, None)) is not None:
            # Either the one who is delivering takes it along, or the one who posts takes over.
            posting.append(threading.Thread(target=ann.say, args=(room, f"reply {number}"), daemon=True))
            posting[-1].start()
            wait_for(lambda: room._pending, "it is posted")

    bob.send = reply  # type: ignore[method-assign]
    ann.say(room, "first")
    wait_for(lambda: len(posting) == replies, "everything is posted")
    for thread in posting:
        thread.join(SECONDS)
        assert not thread.is_alive()
    assert [m.text for m in of_type(eve.frames(), Msg)] == ["first", *(f"reply {n}" for n in range(replies))]
    assert follow(bob.frames(), 0) == replies + 1


def test_who_delivered_for_others_gets_back_to_its_own_client(room: Room) -> None:
    ann, bob, eve = enter(room, "ann", "bob", "eve")
    gates = [threading.Event() for _ in range(MAX_TURNS + 2)]
    keep = eve.send
    turns: list[str] = []

    def send_slowly(data: bytes) -> None:
        turns.append(threading.current_thread().name)
        assert gates[len(turns) - 1].wait(SECONDS)
        keep(data)

    def say(guest: Guest, text: str) -> threading.Thread:
        thread = threading.Thread(target=guest.say, args=(room, text), name=guest.name, daemon=True)
        thread.start()
        return thread

    def wait_for_turns(count: int) -> None:
        wait_for(lambda: len(turns) == count, f"{count} deliveries have begun")

    eve.send = send_slowly  # type: ignore[method-assign]
    first = say(ann, "0")
    for turn in range(1, MAX_TURNS + 1):
        wait_for_turns(turn)
        bob.say(room, f"{turn}")  # returns at once, and ann takes it along
        gates[turn - 1].set()
    wait_for_turns(MAX_TURNS + 1)
    second = say(bob, f"{MAX_TURNS + 1}")
    wait_for(lambda: room._waiting, "bob waits to take over")
    for gate in gates:
        gate.set()
    for thread in (first, second):
        thread.join(SECONDS)
        assert not thread.is_alive()
    assert turns == ["ann"] * (MAX_TURNS + 1) + ["bob"]
    assert [m.text for m in of_type(eve.frames(), Msg)] == list(map(str, range(MAX_TURNS + 2)))


def test_who_posts_more_than_may_be_pending_waits(room: Room) -> None:
    ann, bob, eve = enter(room, "ann", "bob", "eve")
    gate, delivering = threading.Event(), threading.Event()
    keep = eve.send

    def send_slowly(data: bytes) -> None:
        delivering.set()
        assert gate.wait(SECONDS)
        keep(data)

    eve.send = send_slowly  # type: ignore[method-assign]
    first = threading.Thread(target=ann.say, args=(room, "first"), daemon=True)
    first.start()
    assert delivering.wait(SECONDS)
    returned: list[int] = []

    def post() -> None:
        for number in range(MAX_PENDING + 5):
            bob.say(room, f"{number}", nonces=True)
            returned.append(number)

    second = threading.Thread(target=post, daemon=True)
    second.start()
    try:
        wait_for(lambda: room._waiting, "the one who posts waits")
        assert returned == list(range(MAX_PENDING))
    finally:
        gate.set()
        first.join(SECONDS)
        second.join(SECONDS)
    assert not first.is_alive()
    assert not second.is_alive()
    assert [m.text for m in of_type(eve.frames(), Msg)] == ["first", *map(str, range(MAX_PENDING + 5))]
    assert follow(bob.frames(), 0) == MAX_PENDING + 6


# Coming in


def test_the_room_and_the_backlog(room: Room) -> None:
    ann, _ = enter(room, "ann", "bob")
    room.set_topic(ann, "hello", None)
    ann.say(room, "a", "b", "c", nonces=True)
    eve = Guest("eve")
    assert room.enter(eve, None, 2, 9)
    state, *replay = eve.frames()
    assert state == RoomState(
        room="lobby", topic="hello", count=3, members=["ann", "bob", "eve"], last=3, re=9
    )
    assert plain(replay) == [message(2, "ann", "b"), message(3, "ann", "c")]
    assert room.count == 3
    assert [member.name for member in room.people(10)] == ["ann", "bob", "eve"]
    assert [member.name for member in room.people(2)] == ["ann", "bob"]


@pytest.mark.parametrize(
    ("after", "backlog", "expected"),
    [
        (None, 0, []),
        (None, 3, [8, 9, 10]),
        (None, 500, list(range(1, 11))),
        (0, 0, list(range(1, 11))),
        (7, 0, [8, 9, 10]),
        (7, 500, [8, 9, 10]),
        (10, 500, []),
        (11, 2, [9, 10]),  # from an earlier life: a fresh join
        (2**53 - 1, 0, []),
    ],
)
def test_what_is_replayed(room: Room, log: Log, after: int | None, backlog: int, expected: list[int]) -> None:
    log.append("lobby", [Post("ann", "ann", f"{number}") for number in range(10)])
    room = Room("lobby", log)
    eve = Guest("eve")
    assert room.enter(eve, after, backlog, None)
    state, *replay = eve.frames()
    assert isinstance(state, RoomState)
    assert [frame.id for frame in of_type(replay, Msg)] == expected
    assert len(replay) == len(expected)


@pytest.mark.parametrize(
    ("after", "gap"), [(0, True), (1, True), (49, True), (50, False), (51, False), (None, False)]
)
def test_a_gap_tells_what_is_no_longer_kept(log: Log, after: int | None, gap: bool) -> None:
    log.append("lobby", [Post("ann", "ann", "x")] * (MAX_MESSAGES + 50))
    tidy(log)
    room = Room("lobby", log)
    eve = Guest("eve")
    assert room.enter(eve, after, 3, None)
    frames = eve.frames()
    assert of_type(frames, Gap) == ([Gap("lobby", after, 51)] if gap and after is not None else [])
    start = MAX_MESSAGES + 47 if after is None else after
    assert follow(frames, start) == MAX_MESSAGES + 50
    assert not gap or isinstance(frames[1], Gap)


def test_one_gets_back_the_nonces_of_its_own(room: Room) -> None:
    ann, bob = enter(room, "ann", "bob")
    ann.say(room, "a", nonces=True)
    bob.say(room, "b", nonces=True)
    room.leave(ann)
    again = Guest("Ann")
    assert room.enter(again, 0, 0, None)
    assert [frame.nonce for frame in of_type(again.frames(), Msg)] == ["a", None]


def test_the_members_shown_are_cut_and_the_count_is_not(room: Room) -> None:
    guests = crowd(room, MAX_MEMBERS_SHOWN + 20)
    eve = Guest("eve")
    assert room.enter(eve, None, 0, None)
    (state,) = of_type(eve.frames(), RoomState)
    assert state.count == MAX_MEMBERS_SHOWN + 21
    assert state.members == [*(f"g{number}" for number in range(MAX_MEMBERS_SHOWN - 1)), "eve"]
    room.show(guests[-1], 5)
    (state,) = of_type(guests[-1].frames(), RoomState)
    assert (state.count, state.members[-1], len(state.members)) == (
        MAX_MEMBERS_SHOWN + 21,
        "g219",
        MAX_MEMBERS_SHOWN,
    )
    room.show(guests[0], None)
    (state,) = of_type(guests[0].frames(), RoomState)
    assert sorted(state.members) == sorted(f"g{number}" for number in range(MAX_MEMBERS_SHOWN))


def test_show(room: Room) -> None:
    ann, bob = enter(room, "ann", "bob")
    ann.say(room, "a")
    bob.sent.clear()
    room.show(ann, 4)
    assert ann.frames() == [RoomState(room="lobby", topic="", count=2, members=["bob", "ann"], last=1, re=4)]
    assert bob.sent == []


# A long replay


def said(log: Log, count: int, size: int = 10) -> Room:
    """Returns a room in which `count` messages of `size` characters were said."""
    log.append("lobby", [Post("old", "old", f"{number} ".ljust(size, ".")) for number in range(1, count + 1)])
    return Room("lobby", log)


@pytest.mark.parametrize(
    ("count", "size"),
    [
        (REPLAY_MESSAGES - 1, 1),
        (REPLAY_MESSAGES, 1),
        (REPLAY_MESSAGES + 1, 1),
        (5 * REPLAY_MESSAGES, 1),
        (40, 8_000),
        (9, REPLAY_PAGE),
        (3, 2 * REPLAY_PAGE),
    ],
)
@pytest.mark.parametrize("meanwhile", [0, 1, 70])
def test_a_long_replay_with_messages_posted_meanwhile(
    log: Log, count: int, size: int, meanwhile: int
) -> None:
    room = said(log, count, size)
    (ann,) = enter(room, "ann")
    eve = Guest("eve")
    rounds = iter(range(4))

    def post() -> None:
        if meanwhile and next(rounds, None) is not None:
            ann.say(room, *(f"{number}" for number in range(meanwhile)))

    eve.meanwhile = post
    assert room.enter(eve, 0, 0, None)
    ann.say(room, "after")
    frames = eve.frames()
    assert isinstance(frames[0], RoomState)
    assert follow(frames, 0) == room.newest
    assert len(of_type(frames, Msg)) == room.newest
    assert len(of_type(frames, RoomState)) == 1
    assert room.newest >= count + 1


def test_a_long_replay_waits_for_the_reader_page_by_page(log: Log) -> None:
    room = said(log, 100, 8_000)
    eve = Guest("eve")
    pages: list[int] = []
    eve.meanwhile = lambda: pages.append(sum(map(len, eve.sent[len(pages) + 1 :])))
    assert room.enter(eve, 0, 0, None)
    assert len(pages) > 10
    assert max(pages) < REPLAY_PAGE + 16 * 1024
    assert follow(eve.frames(), 0) == 100


@pytest.mark.usefixtures("restless")
def test_a_long_replay_while_others_post_and_come_and_go(log: Log) -> None:
    room = said(log, 10 * REPLAY_MESSAGES)
    ann, _ = enter(room, "ann", "bob")
    late = [Guest(f"late{number}") for number in range(3)]

    def talk() -> None:
        for number in range(200):
            ann.say(room, f"{number}", nonces=True)

    def come_and_go() -> None:
        for number in range(30):
            guest = Guest(f"x{number}")
            assert room.enter(guest, None, 5, None)
            room.leave(guest)

    together(talk, come_and_go, *(lambda guest=guest: room.enter(guest, 0, 0, None) for guest in late))
    total = 10 * REPLAY_MESSAGES + 200
    assert room.newest == total
    assert follow(ann.frames(), 10 * REPLAY_MESSAGES) == total
    for guest in late:
        assert follow(guest.frames(), 0) == total
    assert room.count == 5


def test_what_is_dropped_during_a_long_replay_is_told_as_a_gap(log: Log) -> None:
    room = said(log, 3 * REPLAY_MESSAGES)
    (ann,) = enter(room, "ann")
    eve = Guest("eve")
    rounds = iter([MAX_MESSAGES, MAX_MESSAGES + 50])

    def post() -> None:
        if count := next(rounds, 0):
            ann.say(room, *(["x"] * count))
            tidy(log)

    eve.meanwhile = post
    assert room.enter(eve, 0, 0, None)
    frames = eve.frames()
    assert follow(frames, 0) == room.newest
    assert of_type(frames, Gap)


# When the log cannot be used


class BrokenLog(MemoryLog):
    """A log that can be used no more, as long as it is broken."""

    broken = False
    faulty = False

    def append(self, room: str, posts: Sequence[Post]) -> list[Msg]:
        self._use()
        if self.faulty:
            raise ZeroDivisionError
        return super().append(room, posts)

    def read(self, room: str, after: int, limit: int) -> list[Msg]:
        self._use()
        return super().read(room, after, limit)

    def set_topic(self, topic: Topic) -> None:
        self._use()
        super().set_topic(topic)

    def redact(self, room: str, id_: int) -> Msg | None:
        self._use()
        return super().redact(room, id_)

    def _use(self) -> None:
        if self.broken:
            raise StorageError("the disk is full")


def test_what_cannot_be_kept_reaches_nobody_and_whoever_said_it_is_told() -> None:
    log = BrokenLog()
    room = Room("lobby", log)
    ann, bob, eve = enter(room, "ann", "bob", "eve")
    ann.say(room, "before", nonces=True)
    log.broken = True
    ann.say(room, "a", "b", nonces=True)
    bob.say(room, "c")
    log.broken = False
    ann.say(room, "a", nonces=True)
    refused = {"t": "error", "code": "storage", "text": "the disk is full"}
    assert plain(ann.frames()) == [
        {"t": "ack", "nonce": "before", "room": "lobby", "id": 1},
        refused | {"nonce": "a"},
        refused | {"nonce": "b"},
        {"t": "ack", "nonce": "a", "room": "lobby", "id": 2},
    ]
    assert plain(bob.frames()) == [message(1, "ann", "before"), refused, message(2, "ann", "a")]
    assert plain(eve.frames()) == [message(1, "ann", "before"), message(2, "ann", "a")]


def test_an_error_tells_which_frame_it_was() -> None:
    log = BrokenLog()
    room = Room("lobby", log)
    (ann,) = enter(room, "ann")
    log.broken = True
    room.publish(PostSet(ann, [Post("ann", "ann", "x"), Post("ann", "ann", "y")], [7, None], False, 2))
    assert [frame.get("re") for frame in plain(ann.frames())] == [7, None]


def test_a_delivery_that_fails_leaves_nobody_elses_posts_lying() -> None:
    log = BrokenLog()
    room = Room("lobby", log)
    ann, bob, eve = enter(room, "ann", "bob", "eve")
    room._turn.acquire()
    ann.say(room, "a", nonces=True)  # Somebody is delivering, and takes that along.
    room._turn.release()
    log.faulty = True
    bob.say(room, "b", nonces=True)
    log.faulty = False
    bob.say(room, "c", nonces=True)
    mistake = {"t": "error", "code": "internal", "text": "the server made a mistake, sorry"}
    assert plain(ann.frames()) == [mistake | {"nonce": "a"}, message(1, "bob", "c")]
    assert plain(bob.frames()) == [
        mistake | {"nonce": "b"},
        {"t": "ack", "nonce": "c", "room": "lobby", "id": 1},
    ]
    assert plain(eve.frames()) == [message(1, "bob", "c")]


def test_nobody_comes_in_while_the_log_cannot_be_read() -> None:
    log = BrokenLog()
    room = Room("lobby", log)
    (ann,) = enter(room, "ann")
    log.broken = True
    with pytest.raises(StorageError):
        room.enter(Guest("eve"), 0, 0, None)
    assert (room.count, ann.frames()) == (1, [])


def test_a_topic_that_cannot_be_kept_is_not_set() -> None:
    log = BrokenLog()
    room = Room("lobby", log)
    ann, bob = enter(room, "ann", "bob")
    log.broken = True
    with pytest.raises(StorageError):
        room.set_topic(ann, "new", None)
    assert (room.topic, ann.frames(), bob.frames()) == ("", [], [])


def test_a_room_has_its_topic_again(log: Log) -> None:
    room = Room("lobby", log)
    (ann,) = enter(room, "ann")
    room.set_topic(ann, "old stories", None)
    assert Room("lobby", log).topic == "old stories"


def test_a_room_that_changed_during_a_long_replay_is_told_again(log: Log) -> None:
    room = said(log, 2 * REPLAY_MESSAGES)
    ann, bob = enter(room, "ann", "bob")
    eve = Guest("eve")

    def change() -> None:
        room.leave(bob)
        room.set_topic(ann, "new", None)
        eve.meanwhile = lambda: None

    eve.meanwhile = change
    assert room.enter(eve, 0, 0, 3)
    before, after = of_type(eve.frames(), RoomState)
    assert (before.topic, before.count, before.members, before.re) == ("", 3, ["ann", "bob", "eve"], 3)
    assert (after.topic, after.count, after.members, after.re) == ("new", 2, ["ann", "eve"], None)


def test_who_is_cut_off_in_a_long_replay_never_came_in(log: Log) -> None:
    room = said(log, 3 * REPLAY_MESSAGES)
    (ann,) = enter(room, "ann")
    eve = Guest("eve")
    eve.reads = False
    assert not room.enter(eve, 0, 0, None)
    assert len(of_type(eve.frames(), Msg)) == REPLAY_MESSAGES
    room.leave(eve)
    assert room.people(10) == [ann.person]
    assert ann.sent == []


def test_a_room_that_closes_during_a_long_replay_lets_nobody_in(log: Log) -> None:
    room = said(log, 3 * REPLAY_MESSAGES)
    eve = Guest("eve")
    eve.meanwhile = lambda: None if room.closed else room.close_if_idle(even_with_messages=True)
    assert not room.enter(eve, 0, 0, None)
    assert room.closed
    assert room.count == 0


# Who comes and goes


def test_a_small_room_is_told_at_once(room: Room) -> None:
    (ann,) = enter(room, "ann")
    (bob,) = enter(room, "bob")
    assert ann.frames() == [Presence(room="lobby", joined=["bob"], left=[], count=2)]
    room.leave(bob)
    assert ann.frames() == [Presence(room="lobby", joined=[], left=["bob"], count=1)]
    assert bob.sent == []
    room.flush_presence()
    assert ann.sent == []


def test_a_room_of_100_is_small_and_one_of_101_is_large(room: Room) -> None:
    ann, *_ = crowd(room, SMALL_ROOM - 1)
    ann.sent.clear()
    enter(room, "b100")
    assert ann.frames() == [Presence(room="lobby", joined=["b100"], left=[], count=100)]
    enter(room, "b101")
    assert ann.sent == []
    room.flush_presence()
    assert ann.frames() == [Presence(room="lobby", joined=["b101"], left=[], count=101)]


def test_a_large_room_is_told_in_one_go(room: Room) -> None:
    guests = crowd(room, SMALL_ROOM + 50)
    room.flush_presence()
    ann = guests[0]
    ann.sent.clear()
    enter(room, *(f"n{number}" for number in range(30)))
    for guest in guests[1:21]:
        room.leave(guest)
    assert ann.sent == []
    room.flush_presence()
    (told,) = ann.frames()
    assert isinstance(told, Presence)
    assert told.joined == [f"n{number}" for number in range(30)]
    assert told.left == [f"g{number}" for number in range(1, 21)]
    assert told.count == room.count == SMALL_ROOM + 50 + 30 - 20
    room.flush_presence()
    assert ann.sent == []


def test_the_lists_of_a_large_room_are_cut_and_the_count_is_not(room: Room) -> None:
    guests = crowd(room, 400)
    room.flush_presence()
    (told,) = of_type(guests[0].frames(), Presence)[-1:]
    assert told.count == 400
    assert len(told.joined) == MAX_NAMES_TOLD
    for guest in guests[1:201]:
        room.leave(guest)
    room.flush_presence()
    (told,) = guests[0].frames()
    assert isinstance(told, Presence)
    assert (told.count, told.joined, len(told.left)) == (200, [], MAX_NAMES_TOLD)


def test_whoever_parts_is_answered(room: Room) -> None:
    ann, bob = enter(room, "ann", "bob")
    ann.sent.clear()
    bob.say(room, "bye", nonces=True)
    ann.frames()
    room.leave(bob, re=6, answer=True)
    assert ann.frames() == [Presence(room="lobby", joined=[], left=["bob"], count=1)]
    ack, gone = bob.frames()
    assert isinstance(ack, Ack)
    assert gone == Presence(room="lobby", joined=[], left=["bob"], count=1, re=6)
    room.leave(bob, re=7, answer=True)
    assert (ann.sent, bob.sent) == ([], [])
    ann.say(room, "alone")
    assert bob.sent == []


def test_a_large_room_answers_whoever_parts_at_once(room: Room) -> None:
    guests = crowd(room, SMALL_ROOM + 50)
    guests[9].sent.clear()
    room.leave(guests[9], re=1, answer=True)
    assert guests[9].frames() == [Presence(room="lobby", joined=[], left=["g9"], count=149, re=1)]


def test_leaving_quietly(room: Room) -> None:
    ann, bob = enter(room, "ann", "bob")
    ann.sent.clear()
    room.leave(bob, quiet=True)
    assert ann.sent == []
    assert room.count == 1


class Watcher(Guest):
    """A member that keeps a list of who is here, as a client would."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.names: set[str] = set()

    def watch(self) -> int:
        """Takes in what came; returns the last count it was told."""
        count = 0
        for frame in self.frames():
            if isinstance(frame, RoomState):
                self.names = set(frame.members)
                count = frame.count
            elif isinstance(frame, Presence):
                self.names = (self.names | set(frame.joined)) - set(frame.left)
                count = frame.count
            elif isinstance(frame, Renamed):
                self.names = (self.names - {frame.name}) | {frame.to}
        return count


NAMES = "abc"


@settings(deadline=None, database=None)
@given(
    st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(["", *NAMES, "flush", "watch"])), max_size=30)
)
@example([("a", ""), ("b", ""), ("", "flush"), ("b", ""), ("a", "b")])  # b left, and a is called so now
@example([("b", ""), ("c", ""), ("a", ""), ("", "watch"), ("a", "")])  # came, was seen, and went
@example([("b", ""), ("c", ""), ("a", ""), ("a", "b"), ("a", "c"), ("a", "")])
@example([("b", ""), ("c", ""), ("a", ""), ("", "flush"), ("a", ""), ("", "watch"), ("a", "")])  # came back
@example(  # b takes the name of a, who has left
    [("a", ""), ("", "watch"), ("b", ""), ("c", ""), ("", "flush"), ("a", ""), ("b", "a")]
)
def test_whoever_keeps_a_list_of_the_members_has_it_right(steps: list[tuple[str, str]]) -> None:
    """Each step: a name comes, goes or is changed; one more watches; or what was gathered is told."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("chatctl.server.room.SMALL_ROOM", 3)
        room = Room("lobby", MemoryLog())
        watchers: list[Watcher] = []
        inside: dict[str, Guest] = {}
        for name, what in [("", "watch"), *steps, ("", "flush")]:
            if what == "flush":
                room.flush_presence()
            elif what == "watch":
                watchers.append(Watcher(f"watcher{len(watchers)}"))
                assert room.enter(watchers[-1], None, 0, None)
            elif what:
                if name in inside and what not in inside:
                    guest = inside[what] = inside.pop(name)
                    guest.name = guest.person.name = what
                    room.rename(guest, name, set())
            elif name in inside:
                room.leave(inside.pop(name))
            else:
                inside[name] = Guest(name)
                assert room.enter(inside[name], None, 0, None)
        members = {*inside, *(watcher.name for watcher in watchers)}
        assert {member.name for member in room.people(100)} == members
        for watcher in watchers:
            assert watcher.watch() == len(members)
            assert watcher.names == members


# Names and topics


def test_a_new_name_is_told_once(room: Room, log: Log) -> None:
    other = Room("other", log)
    ann, bob, eve = enter(room, "ann", "bob", "eve")
    for guest in (ann, bob):
        assert other.enter(guest, None, 0, None)
    for guest in (ann, bob, eve):
        guest.sent.clear()
    told: set[Member] = set()
    ann.name = ann.person.name = "anna"
    room.rename(ann, "ann", told)
    other.rename(ann, "ann", told)
    assert bob.frames() == [Renamed("ann", "anna")]
    assert eve.frames() == [Renamed("ann", "anna")]
    assert ann.sent == []  # is answered by its session
    assert room.people(1) == [ann.person]


def test_who_comes_to_a_large_room_and_takes_another_name(room: Room) -> None:
    guests = crowd(room, SMALL_ROOM + 50)
    room.flush_presence()
    (new,) = enter(room, "new")
    guests[0].sent.clear()
    new.name = new.person.name = "newer"
    room.rename(new, "new", set())
    room.flush_presence()
    renamed, told = guests[0].frames()
    assert renamed == Renamed("new", "newer")
    assert told == Presence(room="lobby", joined=["newer"], left=[], count=151)


def test_the_topic(room: Room) -> None:
    ann, bob = enter(room, "ann", "bob")
    ann.sent.clear()
    room.set_topic(bob, "tea", 8)
    (told,) = ann.frames()
    assert isinstance(told, Topic)
    assert (told.room, told.text, told.name, told.re) == ("lobby", "tea", "bob", None)
    assert bob.frames() == [Topic("lobby", "tea", "bob", told.at, 8)]
    assert room.topic == "tea"


def test_what_was_said_before_stands_before(room: Room) -> None:
    """Whatever the room is told, all posted earlier is delivered first."""
    ann, bob, eve = enter(room, "ann", "bob", "eve")
    actions: list[tuple[str, Callable[[], object]]] = [
        ("topic", lambda: room.set_topic(bob, "t", None)),
        ("renamed", lambda: room.rename(bob, "old", set())),
        ("presence", lambda: room.leave(bob)),
        ("room", lambda: room.show(eve, None)),
    ]
    for kind, act in actions:
        eve.frames()
        room._pending.append(PostSet(ann, [Post("ann", "ann", kind)], [None], False, 1))
        act()
        assert [frame["t"] for frame in plain(eve.frames())] == ["msg", kind]


# The end of a room


@pytest.mark.parametrize(
    ("inside", "messages", "topic", "even_with_messages", "closed"),
    [
        (False, False, False, False, True),
        (False, False, False, True, True),
        (False, True, False, False, False),
        (False, True, False, True, True),
        (False, False, True, False, False),
        (False, False, True, True, True),
        (True, False, False, False, False),
        (True, True, False, True, False),
    ],
)
def test_closing_a_room_that_nobody_is_in(
    room: Room, inside: bool, messages: bool, topic: bool, even_with_messages: bool, closed: bool
) -> None:
    (ann,) = enter(room, "ann")
    if messages:
        ann.say(room, "hi")
    if topic:
        room.set_topic(ann, "tea", None)
    if not inside:
        room.leave(ann)
    assert room.close_if_idle(even_with_messages=even_with_messages) is closed
    assert room.closed is closed
    eve = Guest("eve")
    assert room.enter(eve, None, 0, None) is not closed
    assert bool(eve.sent) is not closed


# Redacting


def test_a_redaction_is_told_to_all_and_replayed_as_an_empty_text(room: Room) -> None:
    ann, bob = enter(room, "ann", "bob")
    (eve,) = enter(room, "eve", dialect=encode_singly)
    ann.say(room, "rude", "kind", nonces=True)
    for guest in (ann, bob, eve):
        guest.frames()
    room.redact(bob, 1, "manners", 7)
    assert ann.frames() == eve.frames() == [Redacted("lobby", 1, "bob", "manners")]
    assert bob.frames() == [Redacted("lobby", 1, "bob", "manners", 7)]
    ann.say(room, "rude", nonces=True)  # A repeat is acked, and not said again.
    assert plain(ann.frames()) == [{"t": "ack", "nonce": "rude", "room": "lobby", "id": 1}]
    assert bob.frames() == []
    tom = Guest("tom")
    assert room.enter(tom, None, 9, None)
    assert plain(of_type(tom.frames(), Msg)) == [message(1, "ann", ""), message(2, "ann", "kind")]


def test_who_redacts_need_not_be_in_the_room(room: Room) -> None:
    (ann,) = enter(room, "ann")
    ann.say(room, "rude")
    room.redact(Guest("bob"), 1, "", None)
    assert ann.frames() == [Redacted("lobby", 1, "bob")]


def test_what_is_being_said_is_delivered_before_it_is_redacted(room: Room) -> None:
    ann, bob = enter(room, "ann", "bob")
    with room._turn:  # So that it is left pending.
        ann.say(room, "rude")
        room.redact(ann, 1, "", None)
    assert plain(bob.frames()) == [
        message(1, "ann", "rude"),
        {"t": "redacted", "room": "lobby", "id": 1, "name": "ann"},
    ]


@pytest.mark.parametrize("id_", [0, 2, 2**53 - 1])
def test_a_message_that_is_not_there_cannot_be_redacted(room: Room, id_: int) -> None:
    ann, bob = enter(room, "ann", "bob")
    ann.say(room, "a")
    bob.frames()
    with pytest.raises(Refused) as refusal:
        room.redact(ann, id_, "", None)
    assert refusal.value.code == "no-such-message"
    assert bob.frames() == []


def test_what_cannot_be_redacted_is_not_told() -> None:
    log = BrokenLog()
    room = Room("lobby", log)
    ann, bob = enter(room, "ann", "bob")
    ann.say(room, "a")
    bob.frames()
    log.broken = True
    with pytest.raises(StorageError):
        room.redact(ann, 1, "", None)
    assert (ann.frames(), bob.frames()) == ([], [])


def test_who_is_in_a_long_replay_is_told_of_what_was_redacted_meanwhile(log: Log) -> None:
    room = said(log, 3 * REPLAY_MESSAGES)
    (ann,) = enter(room, "ann")
    eve = Guest("eve")

    def redact() -> None:
        eve.meanwhile = lambda: None
        room.redact(ann, 1, "", None)

    eve.meanwhile = redact
    assert room.enter(eve, 0, 0, None)
    *_, last, told = eve.frames()
    assert isinstance(last, Msg)
    assert told == Redacted("lobby", 1, "ann")
    assert not room._arriving
    room.redact(ann, 2, "", None)
    assert eve.frames() == [Redacted("lobby", 2, "ann")]
