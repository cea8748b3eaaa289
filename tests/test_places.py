"""The rooms one is in: focus, what is unread, who is there; and that no server makes them grow for ever."""

from __future__ import annotations

import pytest

from chatctl.client.terminal.places import MAX_MEMBERS, MAX_PLACES, MAX_SAID, Places
from chatctl.messages import Msg, Presence, Redacted, Renamed, RoomState


def state(room: str, *members: str, last: int = 0) -> RoomState:
    return RoomState(room=room, topic="", count=len(members), members=list(members), last=last)


def places(*rooms: str) -> Places:
    """Returns places in which one talks in the first of `rooms`."""
    made = Places(rooms[0])
    for room in rooms:
        made.enter(state(room))
    return made


def counts(made: Places, room: str) -> tuple[int, int]:
    place = made.get(room)
    assert place
    return place.unread, place.called


def test_rooms_stand_in_the_order_in_which_they_were_entered() -> None:
    made = places("lobby", "dev", "ops")
    made.go_to("ops")
    assert list(made) == ["lobby", "dev", "ops"]
    assert [made.numbered(number) for number in (0, 1, 3, 4)] == [None, "lobby", "ops", None]
    made.leave("dev")
    assert made.numbered(2) == "ops"


def test_one_talks_on_where_one_talked_before() -> None:
    made = places("lobby", "dev", "ops", "art")
    for room in ("lobby", "dev", "ops"):
        made.go_to(room)
    made.leave("dev")
    assert made.focus == "ops"
    made.leave("ops")
    assert made.focus == "lobby"
    made.leave("lobby")
    assert made.focus == "art"
    made.leave("art")
    assert (made.focus, len(made)) == ("", 0)


def test_what_comes_elsewhere_is_unread_until_one_goes_there() -> None:
    made = places("lobby", "dev")
    made.note("lobby", 1)
    made.note("dev", 1)
    made.note("dev", 2, called=True)
    made.note("dev", 3, mine=True)
    made.note("nowhere", 1)
    assert counts(made, "lobby") == (0, 0)
    assert counts(made, "dev") == (2, 1)
    made.go_to("dev")
    assert counts(made, "dev") == (0, 0)


def test_what_was_said_before_one_came_is_not_unread() -> None:
    made = places("lobby")
    made.enter(state("dev", last=7))
    for number in (6, 7, 8):
        made.note("dev", number, called=True)
    assert counts(made, "dev") == (1, 1)


def test_a_room_entered_again_keeps_what_is_unread() -> None:
    made = places("lobby", "dev")
    made.note("dev", 1)
    made.enter(state("dev", "ann", last=9))
    assert counts(made, "dev") == (1, 0)
    made.note("dev", 2)
    assert counts(made, "dev") == (2, 0)


def test_a_room_that_is_numbered_anew_has_nothing_old() -> None:
    made = places("lobby")
    made.enter(state("dev", last=7))
    made.enter(state("dev", last=2))
    made.note("dev", 2)
    assert counts(made, "dev") == (1, 0)


def test_who_is_there() -> None:
    made = places("lobby")
    made.enter(state("dev", "ann", "bob"))
    made.presence(Presence(room="dev", joined=["cat"], left=["ann"], count=2))
    made.presence(Presence(room="nowhere", joined=["eve"], left=[], count=1))
    made.rename(Renamed("bob", "rob"))
    made.rename(Renamed("nobody", "eve"))
    assert made.members == {"cat", "rob"}


@pytest.mark.parametrize("more", [1, 5])
def test_no_server_makes_them_grow_for_ever(more: int) -> None:
    made = Places("lobby")
    for number in range(MAX_PLACES + more):
        made.enter(state(f"room{number}"))
    assert len(made) == MAX_PLACES
    made.enter(state("room0", *(f"a{number}" for number in range(MAX_MEMBERS - 1))))
    made.presence(Presence(room="room0", joined=[f"b{number}" for number in range(9)], left=[], count=1))
    assert len(made.members) == MAX_MEMBERS
    made.enter(state("room0", *(f"a{number}" for number in range(MAX_MEMBERS + more))))
    assert len(made.members) == MAX_MEMBERS
    made.presence(Presence(room="room1", joined=["eve"], left=[], count=1))
    made.enter(state("room2", "eve"))
    assert "eve" not in made.members


# What was said last


def said(id_: int, name: str, room: str = "lobby", text: str = "hi") -> Msg:
    return Msg(id_, 10, room, name, text)


def test_what_somebody_said_last_is_known_until_it_is_redacted() -> None:
    made = places("lobby", "dev")
    for msg in (
        said(1, "Bob"),
        said(2, "ann"),
        said(3, "bob"),
        said(4, "bob", "dev"),
        said(5, "bob", text=""),
    ):
        made.hear(msg)
    assert [made.last_of(name) for name in ("BOB", "ann", "eve")] == [3, 2, None]
    made.redact(Redacted("lobby", 3, "ann"))
    made.redact(Redacted("lobby", 99, "ann"))
    made.redact(Redacted("nowhere", 1, "ann"))
    assert made.last_of("bob") == 1
    made.go_to("dev")
    assert made.last_of("bob") == 4
    made.leave("dev")
    made.leave("lobby")
    assert made.last_of("bob") is None


def test_in_a_room_that_is_numbered_anew_nothing_was_said() -> None:
    made = Places("lobby")
    made.enter(state("lobby", last=9))
    made.hear(said(9, "bob"))
    made.enter(state("lobby", last=3))
    assert made.last_of("bob") is None


def test_only_the_last_messages_are_known() -> None:
    made = places("lobby")
    for id_ in range(1, MAX_SAID + 10):
        made.hear(said(id_, "bob" if id_ == 1 else "ann"))
    assert (made.last_of("bob"), made.last_of("ann")) == (None, MAX_SAID + 9)
    made.hear(said(1, "bob", "nowhere"))
    assert "nowhere" not in made
