"""The protocol as a client meets it: a real server, bare sockets, every frame of PROTOCOL.md."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from chatctl.access.opened import AccessBook
from chatctl.history.memory import MemoryLog
from chatctl.server.config import Config
from chatctl.server.server import Server
from chatctl.server.sockets import open_listener
from tests.helpers import RawClient, RunningServer, running_server, wait_for


@pytest.fixture
def book() -> Iterator[AccessBook]:
    with AccessBook(None) as opened:
        yield opened


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server("--rate", "0", "--motd", "be kind") as running:
        yield running


@pytest.fixture
def pair(server: RunningServer, request: pytest.FixtureRequest) -> Iterator[tuple[RawClient, RawClient, str]]:
    """Two clients alone in a room of their own."""
    room = "r" + str(abs(hash(request.node.name)))
    with server.client(f"a{room}", rooms={room: None}) as ann:
        ann.settle()
        with server.client(f"b{room}", rooms={room: None}) as bob:
            ann.expect("presence")
            bob.settle()
            yield ann, bob, room


def test_welcome_tells_name_limits_and_message_of_the_day(server: RunningServer) -> None:
    with server.raw() as client:
        welcome = client.hello("Zoe\u0308", n=5, agent="test")  # not in NFC
    assert (welcome["name"], welcome["v"], welcome["re"], welcome["motd"]) == ("Zo\u00eb", 1, 5, "be kind")
    assert len(welcome["session"]) >= 16
    assert welcome["limits"] == {
        "frame": 16384, "text": 8000, "topic": 400, "name": 32, "room": 48, "nonce": 64,
        "backlog": 500, "rooms": 100, "outbox": 262144, "rate": 0.0, "burst": 20,
    }  # fmt: skip


def test_hello_without_rooms_enters_the_lobby(server: RunningServer) -> None:
    with server.client("lobbyist") as client:
        assert client.expect("room")["room"] == "lobby"


def test_hello_with_empty_rooms_enters_none(server: RunningServer) -> None:
    with server.client("nowhere", rooms={}) as client:
        assert client.settle() == []
        client.say("anyone?", nonce="x", n=3)
        client.expect_error("not-in-room", re=3, nonce="x")


def test_sessions_are_fresh_secrets(server: RunningServer) -> None:
    secrets = set()
    for _ in range(20):
        with server.raw() as client:
            secrets.add(client.hello("fresh")["session"])
            client.send("bye")
            client.all_until_end()
    assert len(secrets) == 20


def test_say_reaches_everyone_else_and_is_acked_in_place(pair: tuple[RawClient, RawClient, str]) -> None:
    ann, bob, room = pair
    ann.say("one", room=room, nonce="n1", n=7)
    ann.say("two", room=room)
    ann.say("waves", room=room, kind="action")
    got = bob.messages(3)
    assert [(m["id"], m["text"], m.get("kind"), m["name"]) for m in got] == [
        (1, "one", None, "a" + room),
        (2, "two", None, "a" + room),
        (3, "waves", "action", "a" + room),
    ]
    assert all("nonce" not in m for m in got)
    (ack,) = ann.settle()
    assert (ack["t"], ack["nonce"], ack["id"], ack["room"], ack["re"]) == ("ack", "n1", 1, room, 7)
    assert ack["at"] == got[0]["at"]


def test_a_repeated_nonce_is_acked_again_and_not_posted_again(pair: tuple[RawClient, RawClient, str]) -> None:
    ann, bob, room = pair
    for n in (1, 2):
        ann.say("once", room=room, nonce="same", n=n)
    ann.say("after", room=room)
    assert [m["text"] for m in bob.messages(2)] == ["once", "after"]
    assert [(a["id"], a["re"]) for a in ann.settle()] == [(1, 1), (1, 2)]


def test_the_same_nonce_of_another_name_is_another_message(pair: tuple[RawClient, RawClient, str]) -> None:
    ann, bob, room = pair
    ann.say("mine", room=room, nonce="same")
    ann.expect("ack", id=1)
    bob.say("mine too", room=room, nonce="same")
    bob.expect("ack", id=2)
    assert ann.expect("msg")["text"] == "mine too"


def test_texts_arrive_exactly_as_sent(pair: tuple[RawClient, RawClient, str]) -> None:
    ann, bob, room = pair
    texts = [
        "\ttab\nline",
        "[bold]x[/bold]",
        "\u202eevil",
        "e\u0301 not NFC",
        "👩\u200d🚀",
        '"\\/',
        "x" * 8000,
    ]
    for text in texts:
        ann.say(text, room=room)
    assert [m["text"] for m in bob.messages(len(texts))] == texts


@pytest.mark.parametrize(
    "text", ["", "x" * 8001, "ü" * 4001, "\x1b[2J", "\x00", "\r", "\x7f", "\x9b", "\ud800"]
)
def test_texts_that_are_refused(pair: tuple[RawClient, RawClient, str], text: str) -> None:
    ann, bob, room = pair
    ann.say(text, room=room, nonce="q", n=1)
    ann.expect_error("bad-text", re=1, nonce="q")
    assert bob.settle() == []


def test_two_senders_see_one_order(server: RunningServer) -> None:
    room = "order"
    with (
        server.client("o1", rooms={room: None}) as one,
        server.client("o2", rooms={room: None}) as two,
        server.client("o3", rooms={room: None}) as three,
    ):
        two.settle()
        one.settle()

        def talk(client: RawClient, with_nonces: bool) -> None:
            for i in range(2000):
                client.say(f"{i}", room=room, **({"nonce": str(i)} if with_nonces else {}))

        talkers = [threading.Thread(target=talk, args=pair) for pair in ((one, True), (two, False))]
        for talker in talkers:
            talker.start()
        heard = three.messages(4000)
        own: list[dict[str, Any]] = []
        while len(own) < 4000:
            frame = one.receive()
            assert frame is not None
            own.append(frame)
        for talker in talkers:
            talker.join()
    assert [m["id"] for m in heard] == list(range(1, 4001))
    assert [f["id"] for f in own] == list(range(1, 4001))
    assert sum(f["t"] == "ack" for f in own) == 2000
    for name in ("o1", "o2"):
        assert [m["text"] for m in heard if m["name"] == name] == [str(i) for i in range(2000)]


def test_join_replays_the_backlog_in_order(
    pair: tuple[RawClient, RawClient, str], server: RunningServer
) -> None:
    ann, bob, room = pair
    for i in range(60):
        ann.say(f"m{i}", room=room, nonce=f"n{i}")
    bob.messages(60)
    with server.client("late", rooms={}) as late:
        late.send("join", room="#" + room.upper(), backlog=3, n=9)
        state = late.expect("room", re=9, room=room, last=60, count=3)
        assert set(state["members"]) == {"a" + room, "b" + room, "late"}
        assert late.texts(3) == ["m57", "m58", "m59"]
        late.send("part", room=room, n=10)
        gone = late.expect("presence", re=10)
        assert (gone["left"], gone["joined"], gone["count"]) == (["late"], [], 2)
        late.send("join", room=room)
        late.expect("room")
        assert late.texts(50) == [f"m{i}" for i in range(10, 60)]
        assert late.settle() == []


def test_after_replays_what_was_missed_and_ones_own_nonces(
    pair: tuple[RawClient, RawClient, str], server: RunningServer
) -> None:
    ann, bob, room = pair
    bob.say("seen", room=room)
    ann.messages(1)
    ann.say("mine", room=room, nonce="n1")
    bob.messages(1)
    bob.say("theirs", room=room, nonce="secret")
    ann.expect("msg")
    ann.send("bye")
    ann.all_until_end()
    with server.client("a" + room, rooms={room: 1}) as again:
        assert again.expect("msg", id=2)["nonce"] == "n1"
        assert "nonce" not in again.expect("msg", id=3)
        assert again.settle() == []


def test_after_beyond_the_newest_id_is_a_fresh_join(
    pair: tuple[RawClient, RawClient, str], server: RunningServer
) -> None:
    ann, bob, room = pair
    ann.say("only", room=room)
    bob.messages(1)
    with server.client("traveller", rooms={room: 999}) as late:
        assert late.texts(1) == ["only"]


def test_what_memory_no_longer_keeps_is_a_gap() -> None:
    with (
        running_server("--ephemeral", "--rate", "0") as server,
        server.client("g1", rooms={"gappy": None}) as one,
    ):
        batch = b'{"t":"say","room":"gappy","text":"x"}\n' * 500
        for _ in range(21):
            one.send_bytes(batch)
        one.settle()
        with server.client("g2", rooms={"gappy": 3}) as two:
            gap = two.expect("gap", room="gappy", after=3, before=501)
            assert gap["before"] == 501
            assert [two.expect("msg")["id"] for _ in range(10_000)] == list(range(501, 10_501))
            assert two.settle() == []


def test_presence_tells_who_came_and_went(server: RunningServer) -> None:
    with server.client("p1", rooms={"door": None}) as one:
        one.settle()
        with server.client("p2", rooms={"door": None}) as two:
            assert one.expect("presence", joined=["p2"], left=[], count=2)
            two.send("rename", name="P2x", n=4)
            two.expect("renamed", name="p2", to="P2x", re=4)
            assert "re" not in one.expect("renamed", name="p2", to="P2x")
        one.expect("presence", joined=[], left=["P2x"], count=1)


def test_presence_of_a_large_room_is_gathered(server: RunningServer) -> None:
    with server.client("w0", rooms={"hall": None}) as watcher:
        others = [server.client(f"w{i}", rooms={"hall": None}) for i in range(1, 160)]
        came: list[str] = []
        frames = 0
        while len(came) < 159:
            frame = watcher.expect("presence")
            came += frame["joined"]
            frames += 1
            assert len(frame["joined"]) <= 100
        assert sorted(came) == sorted(f"w{i}" for i in range(1, 160))
        assert frames < 130
        for other in others:
            other.close()
        wait_for(lambda: watcher.expect("presence")["count"] == 1, "all are gone")


def test_joining_twice_shows_the_room_again_without_replay(pair: tuple[RawClient, RawClient, str]) -> None:
    ann, bob, room = pair
    ann.say("x", room=room)
    bob.messages(1)
    bob.send("join", room=room, n=1)
    (state,) = bob.settle()
    assert (state["t"], state["count"], state["last"], state["re"]) == ("room", 2, 1, 1)
    assert ann.settle() == []


def test_topics(pair: tuple[RawClient, RawClient, str], server: RunningServer) -> None:
    ann, bob, room = pair
    ann.send("topic", room=room, text="plans", n=2)
    ann.expect("topic", re=2, text="plans", name="a" + room)
    assert "re" not in bob.expect("topic", text="plans", room=room)
    with server.client("topical", rooms={room: None}) as late:
        late.expect("room", topic="plans")
    ann.send("topic", room=room, text="x" * 401, n=3)
    ann.expect_error("bad-text", re=3)
    ann.send("topic", room=room, text="", n=4)
    ann.expect("topic", text="")
    ann.send("topic", room="elsewhere", text="x", n=5)
    ann.expect_error("not-in-room", re=5)


def test_tell_reaches_one_name_in_any_spelling(server: RunningServer) -> None:
    with server.client("Teller") as one, server.client("Listener") as two:
        one.send("tell", to="LISTENER", text="psst", nonce="n", n=1)
        one.send("tell", to="listener", text="psst", nonce="n", n=2)
        two_frame = two.expect("told", name="Teller", text="psst")
        first, second = (one.expect("ack", nonce="n", re=n) for n in (1, 2))
        assert first["at"] == second["at"] == two_frame["at"]
        assert "id" not in first
        one.send("tell", to="nobody", text="?", nonce="m", n=3)
        one.expect_error("no-such-user", re=3, nonce="m")
        assert all(frame["t"] != "told" for frame in two.settle())


def test_who_and_list(pair: tuple[RawClient, RawClient, str]) -> None:
    ann, _, room = pair
    ann.send("who", room=room, n=1)
    members = ann.expect("members", re=1, count=2, room=room)
    assert set(members["names"]) == {"a" + room, "b" + room}
    ann.send("who", n=2)
    everyone = ann.expect("members", re=2)
    assert "room" not in everyone
    assert {"a" + room, "b" + room} <= set(everyone["names"])
    ann.send("who", room="unheard-of", n=3)
    ann.expect("members", re=3, count=0, names=[])
    ann.send("list", n=4)
    rooms = {line["room"]: line for line in ann.expect("rooms", re=4)["rooms"]}
    assert rooms[room] == {"room": room, "count": 2, "topic": "", "last": 0}
    assert "lobby" in rooms


def test_away_is_told_to_those_who_ask_or_tell(pair: tuple[RawClient, RawClient, str]) -> None:
    ann, bob, room = pair
    bob.send("away", text="lunch", n=1)
    assert bob.settle() == [{"t": "away", "name": "b" + room, "text": "lunch", "re": 1}]
    assert ann.settle() == []
    ann.send("who", room=room)
    assert ann.expect("members")["away"] == ["b" + room]
    ann.send("tell", to="B" + room, text="psst", nonce="n", n=2)
    away, ack = ann.settle()
    assert away == {"t": "away", "name": "b" + room, "text": "lunch"}
    assert (ack["t"], ack["re"]) == ("ack", 2)
    for keys in ({}, {"text": ""}):
        bob.send("away", **keys)
        bob.expect("away", text="")
    ann.send("who", room=room)
    assert "away" not in ann.expect("members")
    ann.send("tell", to="b" + room, text="psst", nonce="m")
    assert [frame["t"] for frame in ann.settle()] == ["ack"]
    assert [frame["t"] for frame in bob.settle()] == ["told"]


@pytest.mark.parametrize("text", ["x" * 401, "ü" * 201, "\x1b[2J", "\r", "\x9b", "\ud800"])
def test_what_cannot_be_said_of_being_away(pair: tuple[RawClient, RawClient, str], text: str) -> None:
    ann, bob, room = pair
    bob.send("away", text="x" * 400)
    bob.send("away", text=text, n=3)
    bob.expect_error("bad-text", re=3)
    ann.send("whois", name="b" + room)
    assert ann.expect("user")["away"] == "x" * 400


def test_away_is_kept_with_another_name_and_ends_with_the_session(server: RunningServer) -> None:
    with server.raw() as first, server.client("asker", rooms={}) as asker:
        secret = first.hello("walker", rooms={})["session"]
        first.send("away", text="lunch")
        first.send("rename", name="runner")
        first.settle()
        asker.send("whois", name="runner")
        assert asker.expect("user")["away"] == "lunch"
        with server.client("walker", rooms={}, resume=secret) as again:
            again.settle()
            asker.send("whois", name="runner")
            assert "away" not in asker.expect("user")


def test_whois(server: RunningServer) -> None:
    hostile = "te\x1b[2J\ud800" + "\u202e" * 100
    with server.client("one", rooms={"b-room": None, "a-room": None}, agent=hostile) as one:
        one.send("whois", name="ONE", n=4)
        user = one.expect("user", name="one", rooms=["b-room", "a-room"], re=4)
        assert user["agent"].startswith("te\\x1b[2J\\ud800\\u202e")
        assert len(user["agent"]) == 64
        assert abs(user["at"] / 1000 - time.time()) < 60
        assert "away" not in user
        assert set(user) == {"t", "name", "rooms", "at", "idle", "agent", "re"}
        one.send("part", room="b-room")
        one.send("whois", name="one")
        assert one.expect("user")["rooms"] == ["a-room"]
        one.send("whois", name="nobody-here", n=5)
        one.expect_error("no-such-user", re=5)


def test_idle_counts_from_what_was_said_last(book: AccessBook, monkeypatch: pytest.MonkeyPatch) -> None:
    later = 0.0
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + later)
    monkeypatch.setattr("chatctl.server.session.time", clock)
    running = Server(Config(port=0, rate=0), MemoryLog(), book)
    running.start()
    with RawClient(*running.address) as ann, RawClient(*running.address) as bob:
        ann.hello("ann")
        bob.hello("bob", agent="")

        def idle() -> int:
            ann.send("whois", name="bob")
            seconds = ann.expect("user")["idle"]
            assert isinstance(seconds, int)
            return seconds

        for frame in ({"t": "say", "text": "hi"}, {"t": "tell", "to": "ann", "text": "hi"}):
            before = idle()
            later += 1000
            bob.send("who")
            bob.send("pong")
            bob.settle()
            assert idle() >= before + 1000
            bob.send(**frame)
            bob.settle()
            assert idle() < 1000
    running.stop()


def test_a_room_nobody_used_is_gone_when_it_is_empty(server: RunningServer) -> None:
    with server.client("passer-by", rooms={}) as client:
        client.send("join", room="brief")
        client.send("part", room="brief")
        client.send("list", n=1)
        assert "brief" not in {line["room"] for line in client.expect("rooms")["rooms"]}


def test_a_client_is_in_at_most_a_hundred_rooms(server: RunningServer) -> None:
    with server.client("roomy", rooms={f"many-{i}": None for i in range(100)}) as client:
        client.send("join", room="many-100", n=1)
        client.expect_error("forbidden", re=1)
        client.send("part", room="many-0")
        client.send("join", room="many-100", n=2)
        client.expect("room", re=2)


@pytest.mark.parametrize(
    "name", ["", "a b", "-x", ".x", "x" * 33, "a\u200bb", "a\u202eb", "é\u0000", "a/b", "😀"]
)
def test_bad_names(server: RunningServer, name: str) -> None:
    with server.raw() as client:
        client.send("hello", v=1, name=name, n=1)
        (error,) = client.all_until_end()
    assert (error["code"], error["fatal"]) == ("bad-name", True)


@pytest.mark.parametrize("other", ["TAKEN", "Taken", "t\u0430ken"])
def test_a_name_is_taken_in_all_its_spellings(server: RunningServer, other: str) -> None:
    with server.client("taken"):
        with server.raw() as client:
            client.send("hello", v=1, name=other)
            (error,) = client.all_until_end()
        assert (error["code"], error["fatal"]) == ("name-taken", True)
    wait_for(lambda: came_in(server, "taken"), "the name is free again")


def came_in(server: RunningServer, name: str) -> bool:
    with server.raw() as client:
        client.send("hello", v=1, name=name, rooms={})
        client.send("bye")  # So that at the end the name is free.
        frames = client.all_until_end()
    return bool(frames[0]["t"] == "welcome")


def test_rename_checks_the_name_and_frees_the_old_one(server: RunningServer) -> None:
    with server.client("old-name") as one, server.client("blocker"):
        one.send("rename", name="BLOCKER", n=1)
        one.expect_error("name-taken", re=1)
        one.send("rename", name="not ok", n=2)
        one.expect_error("bad-name", re=2)
        one.send("rename", name="OLD-name", n=3)
        one.expect("renamed", to="OLD-name")
        one.send("rename", name="new-name", n=4)
        one.expect("renamed", to="new-name")
        assert came_in(server, "old-name")


def test_bye_is_answered_by_bye(server: RunningServer) -> None:
    with server.client("leaver", rooms={}) as client:
        client.send("bye", n=8)
        assert client.all_until_end() == [{"t": "bye", "code": "bye", "text": "goodbye", "re": 8}]


def test_what_follows_bye_is_not_acted_on(server: RunningServer) -> None:
    with server.client("stay", rooms={"after-bye": None}) as stays:
        with server.client("goes", rooms={"after-bye": None}) as goes:
            goes.send_bytes(b'{"t":"bye"}\n{"t":"say","room":"after-bye","text":"ghost"}\n')
            assert goes.all_until_end()[-1]["t"] == "bye"
        assert all(frame["t"] != "msg" for frame in stays.settle())


@pytest.mark.parametrize("keys", [{"v": 2}, {"v": 0}])
def test_another_version(server: RunningServer, keys: dict[str, Any]) -> None:
    with server.raw() as client:
        client.send("hello", **({"v": 1, "name": "x"} | keys))
        (error,) = client.all_until_end()
    assert (error["code"], error["fatal"]) == ("unsupported-version", True)


def test_rate_delays_and_loses_nothing() -> None:
    with (
        running_server("--rate", "100", "--burst", "5") as server,
        server.client("slow") as slow,
        server.client("quick") as quick,
    ):
        for i in range(40):
            slow.say(str(i))
        quick.say("not delayed")
        assert slow.expect("msg")["text"] == "not delayed"
        assert quick.texts(40) == [str(i) for i in range(40)]


@pytest.fixture
def impatient(book: AccessBook) -> Iterator[Server]:
    """A server in this process that pings soon, and drops soon after."""
    running = Server(Config(port=0, rate=0, ping_after=0.5, drop_after=2), MemoryLog(), book)
    running.start()
    yield running
    running.stop()


def test_silence_is_pinged_then_dropped(impatient: Server) -> None:
    with RawClient(*impatient.address) as client:
        client.hello("silent")
        frames = client.all_until_end()
    assert {"t": "ping"} in frames
    assert (frames[-1]["t"], frames[-1]["code"]) == ("bye", "timeout")
    assert frames[-1]["retry"] > 0


def test_an_answered_ping_keeps_the_connection(impatient: Server) -> None:
    with RawClient(*impatient.address) as quiet, RawClient(*impatient.address) as silent:
        quiet.hello("quiet")
        silent.hello("silent")
        pings = 0
        while pings < 4:
            frame = quiet.receive()
            assert frame is not None
            assert frame["t"] != "bye"
            if frame["t"] == "ping":
                pings += 1
                quiet.send("pong")


class Nameless(socket.socket):
    """A listener at which nobody but the last has an address."""

    left = 2

    def accept(self) -> tuple[socket.socket, Any]:
        sock, address = super().accept()
        self.left -= 1
        return sock, address if self.left < 0 else None


def test_who_has_gone_without_leaving_an_address_keeps_nobody_out(
    book: AccessBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_nameless(host: str, port: int) -> socket.socket:
        listener = open_listener(host, port)
        timeout = listener.gettimeout()
        nameless = Nameless(fileno=listener.detach())
        nameless.settimeout(timeout)
        return nameless

    monkeypatch.setattr("chatctl.server.server.open_listener", open_nameless)
    running = Server(Config(port=0), MemoryLog(), book)
    running.start()
    try:
        for _ in range(Nameless.left):
            with RawClient(*running.address) as gone:
                assert not gone.all_until_end()
        with RawClient(*running.address) as client:
            client.hello("x")
    finally:
        running.stop()


def test_stopping_twice_is_stopping_once(book: AccessBook) -> None:
    before = set(threading.enumerate())
    running = Server(Config(port=0), MemoryLog(), book)
    running.start()
    with RawClient(*running.address) as client:
        client.hello("x")
        stoppers = [threading.Thread(target=running.stop) for _ in range(3)]
        for stopper in stoppers:
            stopper.start()
        last = client.all_until_end()[-1]
        for stopper in stoppers:
            stopper.join()
    assert (last["code"], last["retry"] > 0) == ("shutting-down", True)
    assert set(threading.enumerate()) <= before
    running.stop()
