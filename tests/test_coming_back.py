"""A client that comes back, on the wire: its session, what it missed, and what it says again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import RawClient, RunningServer, fresh, running_server

LONG_TEXT = "x" * 7_000
RACES = 20


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server("--rate", "0") as server:
        yield server


def come_back(
    server: RunningServer, welcome: dict[str, Any], **hello: Any
) -> tuple[RawClient, dict[str, Any]]:
    """Says hello with the session of an earlier welcome; returns the connection and the answer."""
    client = server.raw()
    client.send("hello", v=1, name=fresh("other"), resume=welcome["session"], **hello)
    answer = client.receive()
    assert answer is not None
    return client, answer


def fill(client: RawClient, room: str, count: int, text: str = "text") -> None:
    for number in range(count):
        client.say(text, room=room, nonce=f"{room} {number}")
        client.expect("ack", id=number + 1)


# The session


def test_a_session_is_taken_over_though_the_old_connection_is_there(server: RunningServer) -> None:
    room = fresh("room")
    with server.raw() as old, server.client(fresh("bob"), rooms={room: None}) as bob:
        welcome = old.hello(fresh("ann"), rooms={room: None})
        assert "resumed" not in welcome
        old.settle()
        bob.settle()
        client, answer = come_back(server, welcome, rooms={room: 0})
        with client:
            assert (answer["t"], answer["name"], answer["resumed"]) == ("welcome", welcome["name"], True)
            assert answer["session"] != welcome["session"]
            assert old.all_until_end()[-1] | {"text": ""} == {"t": "bye", "code": "replaced", "text": ""}
            assert [frame["t"] for frame in client.settle()] == ["room"]
            told = [(frame["joined"], frame["left"], frame["count"]) for frame in bob.settle()]
            assert told == [([], [welcome["name"]], 1), ([welcome["name"]], [], 2)]


def test_the_name_it_had_last(server: RunningServer) -> None:
    with server.raw() as old:
        welcome = old.hello(fresh("ann"))
        newer = fresh("anna")
        old.send("rename", name=newer)
        old.expect("renamed")
    client, answer = come_back(server, welcome)
    with client:
        assert (answer["name"], answer["resumed"]) == (newer, True)


def test_a_session_that_is_not_known_counts_as_absent(server: RunningServer) -> None:
    client, answer = come_back(server, {"session": "no such session"})
    with client:
        assert answer["t"] == "welcome"
        assert "resumed" not in answer


def test_a_name_that_somebody_else_has_by_now(server: RunningServer) -> None:
    name = fresh("ann")
    with server.raw() as old:
        welcome = old.hello(name)
        old.send("bye")
        old.all_until_end()
    with server.client(name):
        client, answer = come_back(server, welcome)
        with client:
            assert answer["t"] == "welcome"
            assert "resumed" not in answer
            assert answer["name"] != name


def test_of_two_that_come_back_at_once_one_replaces_the_other(server: RunningServer) -> None:
    for _ in range(RACES):
        with server.raw() as old, ThreadPoolExecutor(2) as pool:
            welcome = old.hello(fresh("ann"))
            start = threading.Barrier(2)

            def race(start: threading.Barrier = start, welcome: dict[str, Any] = welcome) -> Any:
                start.wait()
                return come_back(server, welcome, rooms={})

            both = [racing.result() for racing in [pool.submit(race), pool.submit(race)]]
            assert [(answer["t"], answer["resumed"]) for _, answer in both] == [("welcome", True)] * 2
            endings = []
            for client, _ in both:
                with client:
                    client.send("bye")
                    endings.append(client.all_until_end()[-1]["code"])
            assert sorted(endings) == ["bye", "replaced"]


@pytest.mark.parametrize("overflows", [False, True])
def test_a_client_that_was_stuck_in_a_replay_comes_back_at_once(
    server: RunningServer, overflows: bool
) -> None:
    busy, old = fresh("busy"), fresh("old")
    with server.client(fresh("writer"), rooms={busy: None, old: None}) as writer, ExitStack() as clients:
        fill(writer, old, 200, LONG_TEXT)
        # Not connected before: who is silent for long enough speaks plain text.
        stuck = clients.enter_context(server.raw(narrow=True))
        welcome = stuck.hello(fresh("ann"), rooms={busy: None, old: 0})
        stuck.expect("room", room=busy)
        writer.expect("presence", room=busy)
        if overflows:
            fill(writer, busy, 100, LONG_TEXT)
        client, answer = come_back(server, welcome, rooms={})
        with client:
            assert (answer["t"], answer.get("resumed")) == ("welcome", True)


# What it missed


def test_what_was_missed_follows_the_last_id(server: RunningServer) -> None:
    room = fresh("room")
    with server.client(fresh("bob"), rooms={room: None}) as bob:
        bob.settle()
        fill(bob, room, 5)
        with server.client(fresh("ann"), rooms={room: 2}) as ann:
            state, *missed = ann.settle()
            assert (state["t"], state["last"]) == ("room", 5)
            assert [(frame["id"], "nonce" in frame) for frame in missed] == [
                (3, False),
                (4, False),
                (5, False),
            ]
            ann.send("part", room=room)
            ann.settle()
            ann.send("join", room=room, after=4, n=7)
            state, *missed = ann.settle()
            assert (state["re"], [frame["id"] for frame in missed]) == (7, [5])


def test_an_id_that_was_never_given_counts_as_a_fresh_join(server: RunningServer) -> None:
    room = fresh("room")
    with server.client(fresh("bob"), rooms={room: None}) as bob:
        bob.settle()
        fill(bob, room, 3)
    with server.client(fresh("ann"), rooms={room: 99}, backlog=2) as ann:
        assert [frame["id"] for frame in ann.settle() if frame["t"] == "msg"] == [2, 3]


# What it says again


def test_what_was_acked_is_acked_again_and_not_posted_again(server: RunningServer) -> None:
    room = fresh("room")
    with server.client(fresh("bob"), rooms={room: None}) as bob, server.raw() as old:
        bob.settle()
        welcome = old.hello(fresh("ann"), rooms={room: None})
        old.settle()
        fill(old, room, 2)
        client, _ = come_back(server, welcome, rooms={room: 0})
        with client:
            replayed = [(frame["id"], frame["nonce"]) for frame in client.settle() if frame["t"] == "msg"]
            assert replayed == [(1, f"{room} 0"), (2, f"{room} 1")]
            for number, id_ in [(1, 2), (0, 1), (2, 3)]:
                client.say("text", room=room, nonce=f"{room} {number}", n=number)
                assert client.expect("ack")["id"] == id_
        heard = [frame["id"] for frame in bob.settle() if frame["t"] == "msg"]
        assert heard == [1, 2, 3]


def test_nonces_and_ids_outlive_the_server(tmp_path: Path) -> None:
    args = ("--data", str(tmp_path), "--rate", "0")
    with running_server(*args) as server, server.client("ann") as ann:
        fill(ann, "lobby", 3)
        server.kill()
    with running_server(*args) as server, server.client("Ann", rooms={"lobby": 2}) as ann:
        assert [frame["id"] for frame in ann.settle() if frame["t"] == "msg"] == [3]
        for number, id_ in [(2, 3), (0, 1), (3, 4)]:
            ann.say("text", nonce=f"lobby {number}")
            assert ann.expect("ack")["id"] == id_
