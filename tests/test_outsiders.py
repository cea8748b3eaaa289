"""Those who are not in a room: who post to it all the same, follow it, and have a name for a moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from chatctl.access.opened import AccessBook
from chatctl.errors import Refused
from chatctl.history.log import Log, Post
from chatctl.history.memory import MemoryLog
from chatctl.history.sqlite import SqliteLog
from chatctl.messages import Ack, Gap, Msg, Presence, Redacted
from chatctl.server.api.posting import Poster
from chatctl.server.api.streams import EVENTS, LINES
from chatctl.server.hub import Hub
from chatctl.server.people import NOBODY, People, Person
from chatctl.server.room import PostSet, Room
from tests.test_hub import Guest as Device
from tests.test_room import BrokenLog, Guest, enter, follow, of_type, plain, said, together


@pytest.fixture(params=["memory", "disk"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Log]:
    with closing(MemoryLog() if request.param == "memory" else SqliteLog(tmp_path)) as log:
        yield log


@pytest.fixture
def room(log: Log) -> Room:
    return Room("lobby", log)


def post(room: Room, text: str, name: str = "bot", nonce: str | None = None) -> Ack:
    poster = Poster(Person(name))
    room.publish(PostSet(poster, [Post(name, name, text, "text", nonce)], [None], True, len(text), True))
    return poster.wait()


# Posting


def test_a_post_from_outside_reaches_all_and_is_acked(room: Room) -> None:
    ann, bob = enter(room, "ann", "bob")
    ack = post(room, "hello")
    assert (ack.room, ack.id) == ("lobby", 1)
    for guest in (ann, bob):
        assert plain(guest.frames()) == [
            {"t": "msg", "id": 1, "room": "lobby", "name": "bot", "text": "hello"}
        ]
    assert room.count == 2


def test_a_repeat_is_acked_as_the_first_and_reaches_nobody(room: Room) -> None:
    (ann,) = enter(room, "ann")
    first = post(room, "hello", nonce="n")
    assert post(room, "hello", nonce="n") == first
    assert post(room, "hello", name="eve", nonce="n").id == 2
    assert [frame.id for frame in of_type(ann.frames(), Msg)] == [1, 2]


def test_outsiders_and_members_at_once(room: Room) -> None:
    ann, bob = enter(room, "ann", "bob")
    acked: list[int] = []

    def from_outside() -> None:
        for number in range(100):
            ack = post(room, f"{number}")
            assert ack.id
            acked.append(ack.id)

    def inside() -> None:
        for number in range(100):
            ann.say(room, f"{number}", nonces=True)

    together(from_outside, from_outside, inside)
    assert follow(ann.frames(), 0) == follow(bob.frames(), 0) == 300
    assert len(set(acked)) == 200


def test_what_is_not_kept_is_refused() -> None:
    log = BrokenLog()
    room = Room("lobby", log)
    log.broken = True
    with pytest.raises(Refused, match="full") as refused:
        post(room, "x")
    assert refused.value.code == "storage"


def test_nothing_is_posted_to_a_room_that_was_dropped() -> None:
    log = MemoryLog()
    room = Room("ops", log)
    assert room.close_if_idle()
    with pytest.raises(Refused) as refused:
        post(room, "x")
    assert refused.value.code == "closed"
    assert log.rooms() == {}


# Following


def follower(form: object = LINES) -> Guest:
    guest = Guest("", form.encode, NOBODY)  # type: ignore[attr-defined]  # one of two forms
    guest.author = ""
    return guest


def test_who_follows_is_not_there(room: Room) -> None:
    (ann,) = enter(room, "ann")
    nosy = follower()
    assert room.enter(nosy, None, 0, None)
    assert room.count == 1
    assert not of_type(ann.frames(), Presence)
    post(room, "hello")
    assert plain(nosy.frames()) == [{"t": "msg", "id": 1, "room": "lobby", "name": "bot", "text": "hello"}]
    enter(room, "bob")
    room.leave(ann)
    assert nosy.frames() == []
    room.leave(nosy)
    room.leave(nosy)
    post(room, "unheard")
    assert nosy.sent == []
    assert room.count == 1


def test_a_long_replay_to_who_follows(log: Log) -> None:
    room = said(log, 250)
    nosy = follower()
    nosy.meanwhile = lambda: post(room, "more")
    assert room.enter(nosy, 100, 0, None)
    frames = nosy.frames()
    assert follow(frames, 100) == room.newest > 250
    assert {type(frame) for frame in frames} == {Msg}


def test_who_follows_sees_no_nonces(room: Room) -> None:
    post(room, "hello", nonce="secret")
    nosy = follower()
    assert room.enter(nosy, 0, 0, None)
    post(room, "hello", nonce="another")
    assert [frame.nonce for frame in of_type(nosy.frames(), Msg)] == [None, None]


def test_a_room_that_is_followed_is_not_dropped() -> None:
    room = Room("ops", MemoryLog())
    nosy = follower()
    assert room.enter(nosy, None, 0, None)
    assert not room.close_if_idle(even_with_messages=True)
    room.leave(nosy)
    assert room.close_if_idle()


def test_events_and_lines() -> None:
    message = Msg(7, 1, "lobby", "ann", "a\nb\u2028")
    frames = [Gap("lobby", 1, 7), message, Presence(room="lobby", joined=[], left=[], count=0)]
    lines = LINES.encode([*frames, Redacted("lobby", 7, "ann")]).decode().split("\n")
    assert [line[:8] for line in lines] == ['{"t":"ga', '{"t":"ms', '{"t":"re', ""]
    events = EVENTS.encode([*frames, Redacted("lobby", 7, "ann")]).decode()
    assert events == (
        f"event: gap\ndata: {lines[0]}\n\nid: 7\ndata: {lines[1]}\n\nevent: redacted\ndata: {lines[2]}\n\n"
    )
    assert LINES.encode([frames[2]]) == EVENTS.encode([frames[2]]) == b""


# A name for a moment


@pytest.fixture
def people() -> Iterator[People]:
    with AccessBook(None) as book:
        book.accounts.add("Ann", "correct horse")
        yield People(book.accounts)


def come(people: People, name: str, account: str = "") -> Device:
    device = Device()
    people.come(device, name, account)
    return device


def test_a_name_is_had_while_something_is_said(people: People) -> None:
    with people.visit("bot") as bot, people.visit("bot") as again:
        assert bot is again
        for name in ("bot", "BOT", "b0t"):
            with pytest.raises(Refused, match="taken"):
                come(people, name)
        with pytest.raises(Refused, match="taken"), people.visit("b0t"):
            pass
        assert people.all() == []
    come(people, "bot")
    with pytest.raises(Refused) as refused, people.visit("bot"):
        pass
    assert refused.value.code == "name-taken"


def test_a_name_of_an_account_is_its_owners(people: People) -> None:
    with pytest.raises(Refused, match="account"), people.visit("ann"):
        pass
    with people.visit("Ann", "ann") as person:
        device = come(people, "Ann", "ann")
        assert device.person is person
    assert people.find("ann") is person
    with people.visit("Ann", "ann") as again:
        assert again is person
        people.release(device)
        assert people.find("ann") is person
    assert people.find("ann") is None


def test_what_is_told_to_who_only_posts_is_told_to_nobody() -> None:
    with AccessBook(None) as book:
        book.accounts.add("ann", "correct horse")
        people = People(book.accounts)
        hub = Hub(MemoryLog(), people, book.mail)
        bob = come(people, "bob")
        with people.visit("bot"), people.visit("ann", "ann"):
            with pytest.raises(Refused, match="nobody"):
                hub.tell(bob, "bot", "x", "text", None)
            assert hub.tell(bob, "ann", "x", "text", None)[1]
            assert hub.who(None, None).names == ["bob"]


def test_many_have_the_name_at_once(people: People) -> None:
    def visit() -> None:
        for _ in range(500):
            with people.visit("bot"):
                pass

    together(*[visit] * 4)
    assert people.find("bot") is None
