"""What moderators do about people, on a real server: who may, what follows, who is told, what is kept."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from chatctl.access.opened import AccessBook
from chatctl.messages import MAX_REASON, Measure
from tests.helpers import RawClient, fresh, running_server, wait_for
from tests.house import PASSWORD, House, act, bans, done, ending, only

MEASURES: tuple[Measure, ...] = get_args(Measure)


# Kicking


def test_a_kick_ends_every_connection_of_a_name(house: House) -> None:
    room = fresh("room")
    mod, ann = house.staff(rooms={room: None})
    bob = house.account("bob")
    one, two = house.log_in(bob, rooms={room: None}), house.log_in(bob, rooms={})
    told = done(ann, "kick", bob, reason="enough now")
    assert {
        "what": "kick",
        "whom": bob,
        "name": mod,
        "reason": "enough now",
        "re": 77,
    }.items() <= told.items()
    assert "until" not in told
    for client in (one, two):
        end = ending(client)
        assert (end["t"], end["code"]) == ("bye", "kicked")
        assert "enough now" in end["text"]
        assert mod in end["text"]
        assert "retry" not in end
    assert house.audited(bob) == [{"name": mod, "what": "kick", "room": None, "reason": "enough now"}]
    wait_for(lambda: f"{mod} kicked {bob}: enough now" in house.server.log, "the kick is logged")


def test_who_is_kicked_comes_back_only_as_somebody_new(house: House) -> None:
    _, ann = house.staff()
    name = fresh("bob")
    with house.server.raw() as bob:
        secrets = [bob.hello(name)["session"]]
        for _ in range(2):  # It has more than one secret by now.
            with house.server.raw() as again:
                secrets.append(again.hello(name, resume=secrets[-1])["session"])
                again.settle()
        with house.server.raw() as last:
            secrets.append(last.hello(name, resume=secrets[-1])["session"])
            done(ann, "kick", name.upper())
            assert ending(last)["code"] == "kicked"
    for secret in secrets:
        with house.server.raw() as client:
            assert "resumed" not in client.hello(fresh("new"), resume=secret)
    with house.server.client(name) as client:  # It is no ban.
        client.settle()


def test_everybody_in_the_same_rooms_is_told_once(house: House) -> None:
    rooms = {fresh("room"): None, fresh("room"): None}
    mod, ann = house.staff(rooms=rooms)
    eve = house.come(fresh("eve"), rooms=rooms)
    other = house.come(fresh("other"), rooms={})
    name = fresh("bob")
    bob = house.come(name, rooms=rooms)
    eve.settle()
    done(ann, "mute", name, seconds=600, reason="loud")
    for client in (eve, bob):
        told = only(client.settle(), "moderated")
        assert [(frame["what"], frame["whom"], frame["name"], frame["reason"]) for frame in told] == [
            ("mute", name, mod, "loud")
        ]
        assert told[0]["until"] - told[0]["at"] == pytest.approx(600_000, abs=5_000)
        assert "re" not in told[0]
    assert only(ann.settle(), "moderated") == []
    assert other.settle() == []


# Bans


def test_a_ban_holds_at_once_and_until_it_is_lifted(house: House) -> None:
    mod, ann = house.staff()
    name = fresh("bob")
    bob = house.come(name)
    told = done(ann, "ban", name, seconds=3600, reason="spam")
    assert told["until"] > told["at"]
    end = ending(bob)
    assert (end["t"], end["code"], end["fatal"]) == ("error", "banned", True)
    assert "spam" in end["text"]
    for spelling in (name, name.upper(), name.replace("o", "0"), name.replace("b", "\uff42")):
        assert house.refused(spelling)["code"] == "banned"
    listed = [ban for ban in bans(ann) if ban["whom"] == name]
    assert [(ban["what"], ban["name"], ban["reason"]) for ban in listed] == [("ban", mod, "spam")]
    assert done(ann, "unban", name, reason="a mistake")["reason"] == "a mistake"
    assert [ban for ban in bans(ann) if ban["whom"] == name] == []
    house.come(name)
    noted = [(entry["what"], entry["reason"]) for entry in house.audited(name)]
    assert noted == [("ban", "spam"), ("unban", "a mistake")]


def test_a_banned_session_is_not_taken_over(house: House) -> None:
    _, ann = house.staff()
    name = fresh("bob")
    with house.server.raw() as bob:
        secret = bob.hello(name)["session"]
        done(ann, "ban", name)
        assert ending(bob)["code"] == "banned"
    assert house.refused(fresh("new"), resume=secret)["code"] == "banned"


def test_nobody_takes_a_banned_name(house: House) -> None:
    _, ann = house.staff()
    name = fresh("bob")
    done(ann, "ban", name)
    eve = house.come(fresh("eve"))
    eve.send("rename", name=name.upper(), n=3)
    eve.expect_error("banned", re=3)


def test_who_renamed_just_before_is_meant_all_the_same(house: House) -> None:
    _, ann = house.staff()
    old, new = fresh("bob"), fresh("rob")
    bob = house.come(old)
    bob.send("rename", name=new)
    bob.expect("renamed")
    assert done(ann, "ban", old)["whom"] == new
    assert ending(bob)["code"] == "banned"
    assert house.refused(new)["code"] == "banned"


def test_an_old_name_that_somebody_else_has_now_means_that_one(house: House) -> None:
    _, ann = house.staff()
    old = fresh("bob")
    innocent = house.come(old)
    innocent.send("rename", name=fresh("rob"))
    innocent.expect("renamed")
    bob = house.come(old)
    done(ann, "ban", old)
    assert ending(bob)["code"] == "banned"
    innocent.settle()


def test_a_ban_of_an_account(house: House) -> None:
    _, ann = house.staff()
    bob = house.account("bob")
    client = house.log_in(bob)
    done(ann, "ban", bob)
    assert ending(client)["code"] == "banned"
    assert house.refused(bob, password=PASSWORD)["code"] == "banned"


def test_a_ban_of_a_range(house: House) -> None:
    room = fresh("room")
    mod, ann = house.staff(rooms={room: None})
    eve = house.come(fresh("eve"), rooms={room: None})
    name = fresh("bob")
    bob = house.come(name, source="127.9.0.1", rooms={room: None})
    eve.settle()
    assert done(ann, "ban", "127.9.0.77/24", reason="bots")["whom"] == "127.9.0.0/24"
    assert ending(bob)["code"] == "banned"
    assert house.refused(fresh("new"), source="127.9.0.200")["code"] == "banned"
    house.come(fresh("near"), source="127.9.1.1")
    # Others learn whom it is about, not where they come from.
    frames = eve.settle()
    assert [(frame["whom"], frame["reason"]) for frame in only(frames, "moderated")] == [(name, "bots")]
    assert "127.9" not in str(frames)
    assert house.audited("127.9.0.0/24") == [{"name": mod, "what": "ban", "room": None, "reason": "bots"}]
    done(ann, "unban", "127.9.0.0/24")
    house.come(name, source="127.9.0.1")


def test_nobody_bans_their_own_address(house: House) -> None:
    _, ann = house.staff()
    for whom in ("127.0.0.1", "127.0.0.0/8", "::ffff:127.0.0.0/104", "0.0.0.0/0"):
        for what in ("ban", "mute"):
            assert (whom, act(ann, what, whom)["code"]) == (whom, "forbidden")
    house.come(fresh("bob"))


def test_no_range_with_somebody_in_it_who_may_as_much(house: House) -> None:
    _, ann = house.staff()
    other = house.log_in(house.account("other", "moderator"), source="127.8.0.1")
    assert act(ann, "ban", "127.8.0.0/16")["code"] == "forbidden"
    other.settle()


def test_a_ban_survives_a_restart(tmp_path: Path) -> None:
    with AccessBook(tmp_path) as book:
        book.accounts.add("ann", PASSWORD, "owner")
    name = fresh("bob")
    with (
        running_server("--data", str(tmp_path)) as server,
        server.client("ann", password=PASSWORD) as ann,
        server.client(name) as bob,
    ):
        done(ann, "ban", name, reason="spam")
        done(ann, "mute", "127.9.0.0/16")
        assert ending(bob)["code"] == "banned"
    with running_server("--data", str(tmp_path)) as server, server.raw() as bob:
        bob.send("hello", v=1, name=name)
        end = ending(bob)
        assert (end["code"], end["text"].endswith(": spam")) == ("banned", True)
        with RawClient(server.host, server.port, source="127.9.3.4") as eve:
            eve.hello("eve")
            eve.say("hello", n=4)
            eve.expect_error("muted", re=4)
        with server.client("ann", password=PASSWORD) as ann:
            done(ann, "unban", name)
        with server.client(name) as again:
            again.settle()


def test_a_ban_ends(house: House) -> None:
    _, ann = house.staff()
    name = fresh("bob")
    done(ann, "ban", name, seconds=1)

    def is_in() -> bool:
        with house.server.raw() as client:
            client.send("hello", v=1, name=name)
            frame = client.receive()
        assert frame is not None
        assert (frame["t"], frame.get("code")) in (("welcome", None), ("error", "banned"))
        return bool(frame["t"] == "welcome")

    wait_for(is_in, "the ban ends")


# Mutes


def test_a_muted_one_reads_and_says_nothing(house: House) -> None:
    room = fresh("room")
    mod, ann = house.staff(rooms={room: None})
    name = fresh("bob")
    bob = house.come(name, rooms={room: None})
    done(ann, "mute", name, seconds=3600, reason="loud")
    bob.settle()
    for number, (t, keys) in enumerate(
        [
            ("say", {"text": "hello", "room": room, "nonce": "a"}),
            ("say", {"text": "hello", "room": f"#{room.upper()}"}),
            ("tell", {"to": mod, "text": "hello", "nonce": "b"}),
            ("topic", {"room": room, "text": "hello"}),
            ("topic", {"room": room, "text": ""}),
            ("rename", {"name": fresh("rob")}),
        ]
    ):
        bob.send(t, n=number, **keys)
        error = bob.expect_error("muted", re=number)
        assert error.get("nonce") == keys.get("nonce")
        assert error["text"].endswith(" UTC: loud")
    assert only(ann.settle(), "msg") == only(ann.settle(), "told") == []
    ann.say("still here?", room=room, nonce="c")
    ann.expect("ack")
    assert bob.texts(1) == ["still here?"]
    bob.send("history", room=room)
    assert [message["text"] for message in bob.expect("history")["messages"]] == ["still here?"]
    done(ann, "unmute", name, reason="said sorry")
    assert bob.expect("moderated", what="unmute")["reason"] == "said sorry"
    bob.settle()
    bob.say("thank you", room=room)
    assert ann.texts(1) == ["thank you"]
    noted = [(entry["what"], entry["reason"]) for entry in house.audited(name)]
    assert noted == [("mute", "loud"), ("unmute", "said sorry")]


def test_a_mute_ends(house: House) -> None:
    _, ann = house.staff()
    name = fresh("bob")
    bob = house.come(name)
    done(ann, "mute", name, seconds=1)

    def speaks() -> bool:
        bob.say("hello", nonce=fresh("nonce"))
        return bool(only(bob.settle(), "ack"))

    wait_for(speaks, "the mute ends")


def test_a_mute_stays_with_who_comes_back(house: House) -> None:
    _, ann = house.staff()
    name = fresh("bob")
    with house.server.raw() as bob:
        secret = bob.hello(name)["session"]
        done(ann, "mute", name)
        with house.server.raw() as again:
            assert again.hello(fresh("new"), resume=secret)["name"] == name
            again.settle()
            again.say("hello", n=1)
            again.expect_error("muted", re=1)


def test_a_mute_stays_with_who_logs_in(house: House) -> None:
    mod, ann = house.staff()
    name, account = fresh("bob"), house.account("robert")
    bob = house.come(name)
    done(ann, "mute", name, reason="loud")
    bob.settle()
    bob.send("login", password=PASSWORD, name=account)
    bob.expect("account")
    bob.settle()
    bob.say("hello", n=1)
    bob.expect_error("muted", re=1)
    done(ann, "unmute", account)
    bob.settle()
    bob.say("hello", nonce="a")
    bob.expect("ack")
    assert [entry["name"] for entry in house.audited(account)] == [mod]


def test_a_mute_of_an_account_holds_on_all_its_devices(house: House) -> None:
    _, ann = house.staff()
    bob = house.account("bob")
    one = house.log_in(bob)
    done(ann, "mute", bob)
    two = house.log_in(bob)
    for client in (one, two):
        client.settle()
        client.say("hello", n=1)
        client.expect_error("muted", re=1)


def test_a_mute_of_a_range(house: House) -> None:
    _, ann = house.staff()
    bob = house.come(fresh("bob"), source="127.7.0.1")
    done(ann, "mute", "127.7.0.0/16")
    for client in (bob, house.come(fresh("rob"), source="127.7.0.2")):
        client.settle()
        client.say("hello", n=1)
        client.expect_error("muted", re=1)
    done(ann, "unmute", "127.7.0.0/16")
    bob.settle()
    bob.say("hello", nonce="a")
    bob.expect("ack")


# Who may


def test_members_take_no_measures(house: House) -> None:
    bob = house.log_in(house.account("bob"))
    eve = fresh("eve")
    client = house.come(eve)
    for what in MEASURES:
        for one in (bob, client):
            assert (what, act(one, what, eve, room="lobby")["code"]) == (what, "forbidden")
    bob.send("banned", n=1)
    bob.expect_error("forbidden", re=1)
    assert house.audited(eve) == []
    client.settle()


@pytest.mark.parametrize("whose", ["moderator", "owner", "self"])
def test_no_measures_against_those_who_may_as_much(house: House, whose: str) -> None:
    mod, ann = house.staff()
    name = mod if whose == "self" else house.account("other", "owner" if whose == "owner" else "moderator")
    other = ann if whose == "self" else house.log_in(name)
    for what in MEASURES:
        assert (what, act(ann, what, name, room="lobby")["code"]) == (what, "forbidden")
    assert house.audited(name) == []
    other.settle()
    other.say("hello", nonce="a")
    other.expect("ack")


def test_nor_against_names_that_look_like_theirs(house: House) -> None:
    _, ann = house.staff()
    owner = house.account("boss", "owner")
    for what in ("ban", "mute"):
        assert (what, act(ann, what, owner.replace("o", "0"))["code"]) == (what, "forbidden")
    house.log_in(owner)


def test_an_owner_may_do_it_to_moderators(house: House) -> None:
    _, ann = house.staff("owner")
    mod, client = house.staff()
    done(ann, "mute", mod)
    client.settle()
    assert act(client, "unmute", mod)["code"] == "forbidden"
    client.say("hello", n=1)
    client.expect_error("muted", re=1)
    done(ann, "kick", mod)
    assert ending(client)["code"] == "kicked"


def test_names_that_nobody_has(house: House) -> None:
    _, ann = house.staff("owner")
    name = fresh("nobody")
    for what in set(MEASURES) - {"ban", "mute"}:
        assert (what, act(ann, what, name, room="lobby")["code"]) == (what, "no-such-user")
    assert house.audited(name) == []


IMPOSSIBLE: list[tuple[str, str, dict[str, str], str]] = [
    ("ban", "a b", {}, "bad-name"),
    ("ban", "10.0.0.0/33", {}, "bad-name"),
    ("kick", "10.0.0.0/8", {}, "bad-name"),
    ("mute", "\u202e", {}, "bad-name"),
    ("ban", "x" * 9_000, {}, "bad-name"),
    ("ban", "someone", {"reason": "\x1b[2J"}, "bad-text"),
    ("ban", "someone", {"reason": "x" * (MAX_REASON + 1)}, "bad-text"),
    ("allow", "someone", {}, "bad-room"),
    ("allow", "someone", {"room": "a b"}, "bad-room"),
    ("allow", "someone", {"room": "there-is-none"}, "not-in-room"),
]


def test_what_cannot_be(house: House) -> None:
    _, ann = house.staff()
    for what, whom, keys, code in IMPOSSIBLE:
        assert (what, whom[:40], act(ann, what, whom, **keys)["code"]) == (what, whom[:40], code)
    assert "someone" not in [ban["whom"] for ban in bans(ann)]


# Roles


def test_moderators_are_made_and_unmade(house: House) -> None:
    boss, ann = house.staff("owner")
    bob = house.account("bob")
    client = house.log_in(bob)
    assert act(client, "kick", boss)["code"] == "forbidden"
    done(ann, "op", bob)
    client.expect("account", name=bob, role="moderator")
    victim = fresh("victim")
    other = house.come(victim)
    done(client, "kick", victim)
    assert ending(other)["code"] == "kicked"
    done(ann, "deop", bob)
    client.expect("account", name=bob, role="member")
    other = house.come(victim)
    for t, keys in (
        ("moderate", {"what": "kick", "whom": victim}),
        ("moderate", {"what": "ban", "whom": victim}),
        ("banned", {}),
        ("mode", {"room": "lobby", "read_only": True}),
        ("invite", {}),
    ):
        client.send(t, n=9, **keys)
        client.expect_error("forbidden", re=9)
    other.settle()
    assert [entry["what"] for entry in house.audited(bob)] == ["op", "deop"]
    assert act(ann, "deop", bob)["code"] == "forbidden"


def test_a_role_that_ends_on_the_servers_machine_ends_here(house: House) -> None:
    mod, client = house.staff()
    room = fresh("room")
    client.send("join", room=room)
    client.expect("room")
    with AccessBook(house.data) as book:
        book.accounts.set_role(mod, "member")

    def refused() -> bool:
        client.send("banned")
        return any(frame["t"] == "error" and frame["code"] == "forbidden" for frame in client.settle())

    wait_for(refused, "the server has seen it")


# Invitations


def test_an_invitation_lets_somebody_in(house: House) -> None:
    mod, ann = house.staff()
    ann.send("invite", room="lobby", uses=2, seconds=600, role="guest", n=4)
    invited = ann.expect("invited", re=4, room="lobby", uses=2, role="guest")
    assert "pin" not in invited
    name = fresh("eve")
    with house.server.raw() as eve:
        assert eve.hello(name, key=invited["key"])["role"] == "guest"
    assert invited["key"] not in house.server.log
    with AccessBook(house.data) as book:
        (made,) = (key for key in book.keys.invitations() if key.by == mod)
    noted = {"name": mod, "what": "invite", "room": "lobby", "reason": "2 as guest"}
    assert noted in house.audited(str(made.id))


def test_nobody_invites_to_more_than_they_are(house: House) -> None:
    _, ann = house.staff()
    _, boss = house.staff("owner")
    bob = house.log_in(house.account("bob"))
    for client, role, may in (
        (ann, "owner", False),
        (ann, "moderator", True),
        (ann, "guest", True),
        (boss, "owner", False),
        (boss, "moderator", True),
        (bob, "member", False),
        (bob, "guest", False),
    ):
        client.settle()
        client.send("invite", role=role, n=4)
        if may:
            client.expect("invited", re=4, role=role)
        else:
            client.expect_error("forbidden", re=4)


def test_a_ban_ends_personal_keys(house: House) -> None:
    _, ann = house.staff()
    ann.send("invite", n=4)
    key = ann.expect("invited")["key"]
    name = fresh("eve")
    with house.server.raw() as eve:
        personal = eve.hello(name, key=key)["key"]
        done(ann, "ban", name)
        assert ending(eve)["code"] == "banned"
    done(ann, "unban", name)
    with AccessBook(house.data) as book:
        assert not [each for each in book.keys.invitations() if name in book.keys.guests(each.id)]
    assert personal


# Redacting


def test_a_moderator_redacts_what_others_said(house: House) -> None:
    room = fresh("room")
    mod, ann = house.staff(rooms={})
    bob, eve = house.come(fresh("bob"), rooms={room: None}), house.come(fresh("eve"), rooms={room: None})
    bob.say("something rude", room=room, nonce="a")
    id_ = bob.expect("ack")["id"]
    eve.settle()
    eve.send("redact", room=room, id=id_, n=1)
    eve.expect_error("forbidden", re=1)
    ann.send("redact", room=room, id=id_, reason="rude", n=2)
    ann.expect("redacted", room=room, id=id_, name=mod, reason="rude", re=2)
    eve.expect("redacted", room=room, id=id_, name=mod, reason="rude")
    eve.send("history", room=room)
    assert [message["text"] for message in eve.expect("history")["messages"]] == [""]
    ann.send("redact", room=room, id=99, n=3)
    ann.expect_error("no-such-message", re=3)
    ann.send("redact", room=fresh("none"), id=1, n=4)
    ann.expect_error("no-such-message", re=4)
    entry = {"name": mod, "what": "redact", "room": room, "reason": "rude"}
    with AccessBook(house.data) as book:
        noted = [each for each in book.audit.last(100) if each.what == "redact" and each.room == room]
    assert [
        {"name": each.name, "what": each.what, "room": each.room, "reason": each.reason} for each in noted
    ] == [entry]
    assert "something rude" not in house.server.log


def test_people_redact_what_they_said_by_their_account(house: House) -> None:
    room = fresh("room")
    bob = house.log_in(house.account("bob"), rooms={room: None})
    eve = house.come(fresh("eve"), rooms={room: None})
    for number, client in enumerate((bob, eve), 1):
        client.say("a slip", room=room, nonce="a")
        client.expect("ack", id=number)
    bob.settle()
    bob.send("redact", room=room, id=1, n=1)
    bob.expect("redacted", id=1, re=1)
    bob.send("redact", room=room, id=2, n=2)
    bob.expect_error("forbidden", re=2)
    eve.settle()
    eve.send("redact", room=room, id=2, n=3)
    eve.expect_error("forbidden", re=3)


def test_what_somebody_else_said_by_the_name_is_not_ones_own(house: House) -> None:
    room, name = fresh("room"), fresh("bob")
    with house.server.client(name, rooms={room: None}) as before:
        before.say("by whoever had the name", room=room, nonce="a")
        before.expect("ack", id=1)
    with AccessBook(house.data) as book:
        book.accounts.add(name, PASSWORD)
    bob = house.log_in(name, rooms={room: None})
    bob.send("redact", room=room, id=1, n=1)
    bob.expect_error("forbidden", re=1)
