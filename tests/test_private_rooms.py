"""Rooms that not everybody may know, enter or speak in, on a real server: every way to ask about them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chatctl.access.opened import AccessBook
from tests.helpers import RawClient, RunningServer, fresh, running_server, wait_for
from tests.house import PASSWORD, House, act, done, only

PRIVATE = {"invite_only": True}
SECRET = {"invite_only": True, "hidden": True}


def set_mode(client: RawClient, room: str, **modes: bool) -> dict[str, Any]:
    client.send("mode", room=room, n=66, **modes)
    return client.expect("mode", room=room, re=66)


def make_room(house: House, **modes: bool) -> tuple[str, RawClient]:
    """Returns a room in which the needle was said, and the moderator who made it."""
    room = fresh("room")
    _, ann = house.staff(rooms={room: None})
    ann.say("the needle of this room", room=room, nonce="a")
    ann.send("topic", room=room, text="what it is about")
    ann.settle()
    set_mode(ann, room, **modes)
    return room, ann


# Asking about a room that one may not know

QUESTIONS: list[tuple[str, dict[str, Any]]] = [
    ("history", {}),
    ("history", {"after": 0}),
    ("history", {"since": 0}),
    ("history", {"before": 5, "limit": 1}),
    ("search", {"text": "needle"}),
    ("search", {"text": "no such thing"}),
    ("who", {}),
    ("say", {"text": "hello", "nonce": "x"}),
    ("topic", {"text": "mine"}),
    ("part", {}),
    ("mode", {}),
    ("redact", {"id": 1}),
    ("redact", {"id": 2}),
]


def answers(client: RawClient, t: str, room: str, spelled: str, **keys: Any) -> str:
    """Returns all that is answered to a question about a room, with its name left out."""
    client.send(t, room=spelled, n=1, **keys)
    return json.dumps(client.settle()).replace(room, "ROOM")


def test_a_hidden_room_answers_as_one_that_is_not_there(house: House) -> None:
    room, _ = make_room(house, **SECRET)
    none = fresh("none")
    for client in (house.come(fresh("eve"), rooms={}), house.log_in(house.account("eve"), rooms={})):
        for t, keys in QUESTIONS:
            asked = answers(client, t, room, room, **keys)
            assert "ROOM" in asked or t in ("say", "topic", "part", "search")
            assert asked == answers(client, t, none, none, **keys)
            assert asked == answers(client, t, room, f"#{room.upper()}", **keys)


def test_a_room_for_a_few_tells_nothing_of_itself(house: House) -> None:
    room, ann = make_room(house, **PRIVATE)
    eve = house.come(fresh("eve"), rooms={})
    for t, keys in QUESTIONS:
        eve.send(t, room=room, n=1, **keys)
        if t == "mode":
            eve.expect("mode", invite_only=True, re=1)
        else:
            eve.expect_error("not-in-room" if t in ("say", "topic", "part") else "forbidden", re=1)
    assert eve.settle() == []
    assert only(ann.settle(), "msg") == []


@pytest.mark.parametrize("modes", [PRIVATE, SECRET])
def test_what_is_asked_of_all_rooms_leaves_it_out(house: House, modes: dict[str, bool]) -> None:
    room, ann = make_room(house, **modes)
    eve = house.come(fresh("eve"))
    eve.send("search", text="needle of this", limit=500)
    assert room not in [message["room"] for message in eve.expect("found")["messages"]]
    eve.send("list")
    assert room not in [line["room"] for line in eve.expect("rooms")["rooms"]]
    mod = name_of(ann)
    eve.send("whois", name=mod)
    assert room not in eve.expect("user")["rooms"]
    ann.send("search", text="needle of this", limit=500)
    assert room in [message["room"] for message in ann.expect("found")["messages"]]
    ann.send("list")
    assert room in [line["room"] for line in ann.expect("rooms")["rooms"]]
    ann.send("whois", name=mod)
    assert room in ann.expect("user")["rooms"]


def test_moderators_see_where_somebody_comes_from(house: House) -> None:
    bob = fresh("bob")
    house.come(bob, source="127.6.5.4")
    _, ann = house.staff()
    ann.send("whois", name=bob)
    assert ann.expect("user")["address"] == "127.6.5.4"
    eve = house.log_in(house.account("eve"))
    eve.send("whois", name=bob)
    assert "127.6" not in str(eve.expect("user"))


def name_of(client: RawClient) -> str:
    client.send("away", n=55)
    return str(client.expect("away", re=55)["name"])


@pytest.mark.parametrize("modes", [PRIVATE, SECRET])
@pytest.mark.parametrize("after", [None, 0])
def test_it_cannot_be_entered(house: House, modes: dict[str, bool], after: int | None) -> None:
    room, ann = make_room(house, **modes)
    eve = house.come(fresh("eve"))
    eve.send("join", room=f"#{room}", n=2, **({} if after is None else {"after": after}))
    eve.expect_error("forbidden", re=2)
    with house.server.raw() as other:
        other.send("hello", v=1, name=fresh("eve"), rooms={room: after, "lobby": None}, n=3)
        frames = other.settle()
    assert [frame["code"] for frame in only(frames, "error")] == ["forbidden"]
    assert [frame["room"] for frame in only(frames, "room")] == ["lobby"]
    assert only(frames, "msg") == []
    assert ann.settle() == []


# Letting people in


def test_who_is_let_in(house: House) -> None:
    room, ann = make_room(house, **SECRET)
    bob = house.account("bob")
    client = house.log_in(bob)
    told = done(ann, "allow", bob, room=room)
    assert (told["room"], told["whom"]) == (room, bob)
    assert [(frame["what"], frame["room"]) for frame in only(client.settle(), "moderated")] == [
        ("allow", room)
    ]
    client.send("join", room=room)
    client.expect("room", topic="what it is about")
    client.expect("mode", room=room, invite_only=True, hidden=True)
    assert client.texts(1) == ["the needle of this room"]
    assert [entry["what"] for entry in house.audited(bob)] == ["allow"]


def test_who_is_let_in_no_more_leaves_at_once(house: House) -> None:
    room, ann = make_room(house, **SECRET)
    bob = house.account("bob")
    done(ann, "allow", bob, room=room)
    devices = [house.log_in(bob, rooms={room: None}) for _ in range(2)]
    ann.settle()
    done(ann, "disallow", bob, room=room, reason="not needed")
    ann.expect("presence", room=room, left=[bob], count=1)
    ann.say("not for bob", room=room, nonce="b")
    ann.expect("ack")
    for client in devices:
        frames = client.settle()
        assert [frame["what"] for frame in only(frames, "moderated")] == ["disallow"]
        assert [frame["left"] for frame in only(frames, "presence")][-1] == [bob]
        assert only(frames, "msg") == []
        for t, keys in (("say", {"text": "hello"}), ("topic", {"text": "mine"}), ("part", {})):
            client.send(t, room=room, n=4, **keys)
            client.expect_error("not-in-room", re=4)
        client.send("history", room=room)
        assert client.expect("history")["messages"] == []
        client.send("join", room=room, after=0, n=5)
        client.expect_error("forbidden", re=5)
    assert act(ann, "disallow", bob, room=room)["code"] == "no-such-user"


def test_an_invitation_opens_its_room_until_it_is_taken_back(house: House) -> None:
    room, ann = make_room(house, **SECRET)
    ann.send("invite", room=room, role="guest")
    key = ann.expect("invited")["key"]
    name = fresh("eve")
    eve = house.come(name, key=key, rooms={room: None})
    eve.say("hello", room=room, nonce="a")
    eve.expect("ack")
    ann.settle()
    done(ann, "disallow", name, room=room)
    eve.expect("presence", room=room, left=[name])
    eve.send("join", room=room, n=1)
    eve.expect_error("forbidden", re=1)


def test_who_comes_back_does_not_come_into_a_room_that_was_closed_to_them(house: House) -> None:
    room, ann = make_room(house, **SECRET)
    bob = house.account("bob")
    done(ann, "allow", bob, room=room)
    with house.server.raw() as client:
        secret = client.hello(bob, password=PASSWORD, rooms={room: None})["session"]
        client.settle()
    done(ann, "disallow", bob, room=room)
    ann.say("not for bob", room=room, nonce="b")
    ann.expect("ack")
    with house.server.raw() as client:
        client.send("hello", v=1, name=bob, resume=secret, rooms={room: 1})
        frames = client.settle()
    assert frames[0]["resumed"] is True
    assert [frame["code"] for frame in only(frames, "error")] == ["forbidden"]
    assert only(frames, "msg") == only(frames, "room") == []


def wait_until_left(server: RunningServer, name: str, times: int) -> None:
    """Waits until somebody's session has ended, for which nobody else may see a sign."""
    wait_for(lambda: server.log.count(f"{name} left") == times, f"{name} has left {times} times")


def test_a_key_that_no_longer_opens_a_room_does_not_on_coming_back(house: House) -> None:
    room, ann = make_room(house, **SECRET)
    ann.send("invite", room=room)
    name = fresh("eve")
    with house.server.raw() as eve:
        welcome = eve.hello(name, key=ann.expect("invited")["key"], rooms={room: None})
        eve.expect("room", room=room)
    ann.expect("presence", joined=[name])
    ann.expect("presence", left=[name])
    wait_until_left(house.server, name, 1)
    done(ann, "disallow", name, room=room)
    for times, keys in enumerate(({"resume": welcome["session"]}, {"key": welcome["key"]}), 1):
        wait_until_left(house.server, name, times)
        with house.server.raw() as again:
            again.send("hello", v=1, name=name, rooms={room: 0}, **keys)
            frames = again.settle()
        assert [frame["t"] for frame in frames] == ["welcome", "error"]
        assert frames[1]["code"] == "forbidden"


def test_a_moderator_who_is_none_any_more_leaves(house: House) -> None:
    room, _ = make_room(house, **PRIVATE)
    _, boss = house.staff("owner")
    mod, client = house.staff(rooms={room: None})
    done(boss, "deop", mod)
    client.expect("presence", room=room, left=[mod])
    client.send("history", room=room, n=1)
    client.expect_error("forbidden", re=1)
    client.send("search", text="needle", room=room, n=2)
    client.expect_error("forbidden", re=2)


def test_a_role_that_ends_on_the_servers_machine_closes_rooms_too(house: House) -> None:
    room, _ = make_room(house, **PRIVATE)
    mod, client = house.staff(rooms={room: None})
    with AccessBook(house.data) as book:
        book.accounts.set_role(mod, "member")
    client.expect("presence", room=room, left=[mod])


# Modes


def test_a_room_that_is_closed_sends_those_away_who_may_not_stay(house: House) -> None:
    room = fresh("room")
    mod, ann = house.staff(rooms={room: None})
    bob = house.account("bob")
    allowed, other = house.log_in(bob, rooms={room: None}), house.come(fresh("eve"), rooms={room: None})
    done(ann, "allow", bob, room=room)
    told = set_mode(ann, room, invite_only=True)
    assert told["name"] == mod
    frames = other.settle()
    assert [frame["invite_only"] for frame in only(frames, "mode")] == [True]
    assert len(only(frames, "presence")[-1]["left"]) == 1
    ann.say("for a few", room=room)
    assert allowed.texts(1) == ["for a few"]
    assert only(other.settle(), "msg") == []
    with AccessBook(house.data) as book:
        noted = [entry for entry in book.audit.last(100) if entry.room == room and entry.what == "mode"]
    assert [(entry.name, entry.whom) for entry in noted] == [(mod, "invite-only on")]
    wait_for(lambda: f"{mod} made #{room} invite-only on" in house.server.log, "it is logged")


def test_announcements(house: House) -> None:
    room, ann = make_room(house, read_only=True)
    bob = house.log_in(house.account("bob"))
    bob.send("join", room=room)
    bob.expect("mode", room=room, read_only=True)
    bob.settle()
    bob.say("hello", room=room, nonce="a", n=1)
    bob.expect_error("forbidden", re=1, nonce="a")
    bob.send("topic", room=room, text="mine", n=2)
    bob.expect_error("forbidden", re=2)
    ann.say("hear, hear", room=room)
    assert bob.texts(1) == ["hear, hear"]
    set_mode(ann, room, read_only=False)
    bob.expect("mode", room=room)
    bob.say("hello", room=room, nonce="a")
    bob.expect("ack")


def test_a_locked_topic(house: House) -> None:
    room, ann = make_room(house, topic_locked=True)
    bob = house.come(fresh("bob"), rooms={room: None})
    bob.send("topic", room=room, text="mine", n=2)
    bob.expect_error("forbidden", re=2)
    bob.say("hello", room=room, nonce="a")
    bob.expect("ack")
    ann.send("topic", room=room, text="ours")
    bob.expect("topic", text="ours")


def test_what_is_left_out_stays(house: House) -> None:
    room, ann = make_room(house, read_only=True)
    told = set_mode(ann, room, topic_locked=True)
    assert (told["read_only"], told["topic_locked"]) == (True, True)
    asked = set_mode(ann, room)
    assert (asked["read_only"], asked["topic_locked"], "name" in asked) == (True, True, False)


@pytest.mark.parametrize(
    ("room", "modes", "code"),
    [
        ("lobby", {"invite_only": True}, "forbidden"),
        ("lobby", {"hidden": True}, "forbidden"),
        ("there-is-none", {"hidden": True}, "not-in-room"),
        ("a b", {"hidden": True}, "bad-room"),
    ],
)
def test_modes_that_cannot_be(house: House, room: str, modes: dict[str, bool], code: str) -> None:
    _, ann = house.staff()
    ann.send("mode", room=room, n=1, **modes)
    ann.expect_error(code, re=1)


def test_modes_and_who_was_let_in_survive_a_restart(tmp_path: Path) -> None:
    with AccessBook(tmp_path) as book:
        book.accounts.add("ann", PASSWORD, "moderator")
        book.accounts.add("bob", PASSWORD)
    with (
        running_server("--data", str(tmp_path)) as server,
        server.client("ann", password=PASSWORD, rooms={"dev": None}) as ann,
    ):
        ann.say("the needle", room="dev", nonce="a")
        ann.expect("ack")
        set_mode(ann, "dev", invite_only=True, hidden=True, topic_locked=True)
        done(ann, "allow", "bob", room="dev")
    with running_server("--data", str(tmp_path)) as server:
        with server.client("bob", password=PASSWORD, rooms={"dev": None}) as bob:
            bob.expect("mode", room="dev", invite_only=True, hidden=True, topic_locked=True)
            assert bob.texts(1) == ["the needle"]
        with server.client("eve") as eve:
            eve.send("join", room="dev", n=1)
            eve.expect_error("forbidden", re=1)
            eve.send("search", text="needle")
            assert eve.expect("found")["messages"] == []


def test_guests_make_no_rooms(house: House) -> None:
    room, ann = make_room(house)
    ann.send("invite", role="guest")
    guest = house.come(fresh("guest"), key=ann.expect("invited")["key"])
    guest.send("join", room=fresh("mine"), n=1)
    guest.expect_error("forbidden", re=1)
    guest.send("join", room=room, n=2)
    guest.expect("room", room=room, re=2)
    guest.send("topic", room=room, text="mine", n=3)
    guest.expect_error("forbidden", re=3)
    guest.say("hello", room=room, nonce="a")
    guest.expect("ack")
