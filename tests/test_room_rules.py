"""Rooms whose members may not stay, or not come in, and what is allowed in them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from chatctl.errors import Refused
from chatctl.history.log import Post
from chatctl.history.memory import MemoryLog
from chatctl.messages import Mode, Moderated, Msg, Presence, RoomState
from chatctl.server.people import Member
from chatctl.server.room import REPLAY_MESSAGES, Room
from tests.test_room import Guest, enter

READ_ONLY = Mode(room="lobby", read_only=True)


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog()


@pytest.fixture
def room(log: MemoryLog) -> Room:
    return Room("lobby", log)


# Coming in


def test_who_may_not_be_in_a_room_does_not_come_in(room: Room) -> None:
    ann, eve = enter(room, "ann")[0], Guest("eve")
    eve.barred.add("lobby")
    with pytest.raises(Refused) as refused:
        room.enter(eve, None, 50, 1)
    assert refused.value.code == "forbidden"
    assert (room.count, eve.rooms, eve.frames(), ann.frames()) == (1, {}, [], [])


def test_a_room_keeps_what_its_members_know_of_it(room: Room) -> None:
    ann = enter(room, "ann")[0]
    assert ann.rooms == {"lobby": room}
    room.leave(ann)
    room.leave(ann)
    assert ann.rooms == {}


@pytest.mark.parametrize("pages", [1, 3])
def test_a_replay_ends_with_the_right_to_it(log: MemoryLog, room: Room, pages: int) -> None:
    log.append("lobby", [Post("ann", "ann", str(number)) for number in range(5 * REPLAY_MESSAGES)])
    room = Room("lobby", log)
    eve = Guest("eve")
    seen: list[int] = []

    def read_and_lose_it() -> None:
        seen.extend(frame.id for frame in eve.frames() if isinstance(frame, Msg))
        if len(seen) >= pages * REPLAY_MESSAGES:
            eve.barred.add("lobby")

    eve.meanwhile = read_and_lose_it
    with pytest.raises(Refused):
        room.enter(eve, 0, 50, None)
    assert (seen, eve.frames()) == (list(range(1, pages * REPLAY_MESSAGES + 1)), [])
    assert (room.count, eve.rooms) == (0, {})


def test_a_right_that_ends_with_the_last_page_counts_too(log: MemoryLog) -> None:
    log.append("lobby", [Post("ann", "ann", str(number)) for number in range(REPLAY_MESSAGES + 1)])
    room = Room("lobby", log)
    eve = Guest("eve")
    pages = 0

    def lose_it() -> None:
        nonlocal pages
        pages += 1
        if pages == 2:
            eve.barred.add("lobby")

    eve.meanwhile = lose_it
    with pytest.raises(Refused):
        room.enter(eve, 0, 50, None)
    assert (room.count, eve.rooms) == (0, {})


# What is allowed


def test_what_is_allowed_follows_the_room(log: MemoryLog) -> None:
    log.append("lobby", [Post("ann", "ann", "hello")])
    room = Room("lobby", log, READ_ONLY)
    eve = Guest("eve")
    room.enter(eve, None, 50, 7)
    state, mode, message = eve.frames()
    assert isinstance(state, RoomState)
    assert (state.re, mode) == (7, READ_ONLY)
    assert isinstance(message, Msg)
    room.show(eve, 8)
    assert eve.frames()[1:] == [READ_ONLY]


def test_a_change_is_told_to_the_members_and_to_who_made_it(room: Room) -> None:
    ann, bob = enter(room, "ann", "bob")
    outside = Guest("eve")
    changed = Mode(room="lobby", read_only=True, name="eve")
    assert room.set_mode(outside, lambda: changed, 3)
    assert ann.frames() == bob.frames() == [changed]
    assert outside.frames() == [Mode(room="lobby", read_only=True, name="eve", re=3)]
    eve = Guest("eve2")
    room.enter(eve, None, 0, None)
    assert eve.frames()[1:] == [READ_ONLY]
    for member in (ann, bob, eve):
        member.frames()
    assert room.set_mode(ann, lambda: Mode(room="lobby", name="ann"), 4)
    assert ann.frames() == [Mode(room="lobby", name="ann", re=4)]
    assert bob.frames() == [Mode(room="lobby", name="ann")]
    late = Guest("late")
    room.enter(late, None, 0, None)
    assert [type(frame) for frame in late.frames()] == [RoomState]


def test_a_change_that_is_refused_changes_nothing(room: Room) -> None:
    ann = enter(room, "ann")[0]

    def refuse() -> Mode:
        raise Refused("storage", "no")

    with pytest.raises(Refused):
        room.set_mode(ann, refuse, 1)
    room.show(ann, None)
    assert [type(frame) for frame in ann.frames()] == [RoomState]


def test_a_closed_room_changes_no_more(room: Room) -> None:
    assert room.close_if_idle()
    ann = Guest("ann")
    assert not room.set_mode(ann, lambda: pytest.fail("it was changed"), 1)
    assert ann.frames() == []


def test_who_comes_in_meanwhile_hears_of_a_change(log: MemoryLog) -> None:
    log.append("lobby", [Post("ann", "ann", str(number)) for number in range(2 * REPLAY_MESSAGES)])
    room = Room("lobby", log)
    eve, ann = Guest("eve"), Guest("ann")
    changed = Mode(room="lobby", read_only=True, name="ann")
    eve.meanwhile = lambda: room.set_mode(ann, lambda: changed, None)
    assert room.enter(eve, 0, 50, None)
    frames = eve.frames()
    assert changed in frames
    assert isinstance(frames[0], RoomState)


# Telling the members


def test_each_is_told_once(room: Room, log: MemoryLog) -> None:
    other = Room("dev", log)
    ann, bob = enter(room, "ann", "bob")
    other.enter(bob, None, 0, None)
    eve = enter(other, "eve")[0]
    bob.frames()
    frame = Moderated(what="kick", whom="mallory", name="ann", at=1)
    told: set[Member] = {ann}
    for each in (room, other):
        each.tell(frame, told)
    assert (ann.frames(), bob.frames(), eve.frames()) == ([], [frame], [frame])


def test_who_is_made_to_leave_is_told_as_the_others_are(room: Room) -> None:
    ann, bob = enter(room, "ann", "bob")
    room.leave(bob, answer=True)
    gone = Presence(room="lobby", joined=[], left=["bob"], count=1)
    assert ann.frames() == bob.frames() == [gone]
    ann.say(room, "not for bob")
    assert bob.sent == []


def test_what_comes_too_late_does_nothing(room: Room) -> None:
    ann, bob = enter(room, "ann", "bob")
    room.leave(bob)
    ann.sent.clear()
    room.rename(bob, "rob", set())
    assert (room.count, ann.sent) == (1, [])
    ann.barred.add("lobby")
    with pytest.raises(Refused):
        room.show(ann, 1)
    assert ann.sent == []


def test_who_comes_and_is_made_to_leave_at_once_is_in_it_or_not(room: Room) -> None:
    guests = [Guest(f"guest{number}") for number in range(8)]
    over = threading.Event()

    def come_and_go(guest: Guest) -> None:
        while not over.is_set():
            with suppress(Refused):
                if not guest.rooms:
                    room.enter(guest, None, 0, None)
            room.rename(guest, guest.name, set())

    def make_leave() -> None:
        try:
            for number in range(3_000):
                guest = guests[number % len(guests)]
                guest.barred.add("lobby")
                room.leave(guest, answer=True)
                assert not guest.rooms
                guest.sent.clear()
                guest.barred.clear()
        finally:
            over.set()

    with ThreadPoolExecutor(len(guests) + 1) as pool:
        for done in [*[pool.submit(come_and_go, guest) for guest in guests], pool.submit(make_leave)]:
            done.result()
    inside = [guest for guest in guests if guest.rooms]
    assert room.count == len(inside)
    assert {person.name for person in room.people(99)} == {guest.name for guest in inside}
