"""``chatctl who`` and ``chatctl rooms``: frames for programs, tables for people."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pyte
import pytest

from tests.helpers import RunningServer, running_server
from tests.shell import on_a_terminal, run


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """A server on which ann is in #dev and away, and bob in #dev and #ops."""
    with (
        running_server() as running,
        running.client("ann", rooms={"dev": None}) as ann,
        running.client("bob", rooms={"dev": None, "ops": None}) as bob,
    ):
        ann.send("away", text="lunch")
        bob.send("topic", room="ops", text="[bold]all is well[/]\u202e")
        ann.settle()
        bob.settle()
        yield running


def lines_on_a_terminal(server: RunningServer, line: str) -> list[str]:
    """Returns what a terminal shows of what a command prints."""
    screen = pyte.Screen(80, 24)
    pyte.ByteStream(screen).feed(on_a_terminal(server, line))
    return [text for line in screen.display if (text := line.rstrip())]


def test_who_is_in_a_room_as_a_frame(server: RunningServer) -> None:
    done = run(server, "chatctl who --room '#DEV'")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {
        "t": "members", "room": "dev", "names": ["ann", "bob"], "count": 2, "away": ["ann"]
    }  # fmt: skip


def test_whoever_asks_is_left_out(server: RunningServer) -> None:
    everyone = json.loads(run(server, "chatctl who --all --json", CHATCTL_ROOM="ops").stdout)
    assert everyone == {"t": "members", "names": ["ann", "bob"], "count": 2, "away": ["ann"]}
    nobody = json.loads(run(server, "chatctl who --room attic", CHATCTL_NAME="ann").stdout)
    assert nobody == {"t": "members", "room": "attic", "names": [], "count": 0}


def test_rooms_as_a_frame(server: RunningServer) -> None:
    frame = json.loads(run(server, "chatctl rooms").stdout)
    assert (frame["t"], frame.keys()) == ("rooms", {"t", "rooms"})
    assert {line["room"]: line["count"] for line in frame["rooms"]} == {"dev": 2, "ops": 1, "lobby": 0}


def test_tables(server: RunningServer) -> None:
    who = lines_on_a_terminal(server, "chatctl who --room dev")
    assert [line.split() for line in who] == [
        ["name"],
        [who[1].strip()],
        ["ann", "away"],
        ["bob"],
        ["2", "in", "#dev"],
    ]
    everywhere = lines_on_a_terminal(server, "chatctl who --all")
    assert everywhere[-1] == "2 on the server"
    assert lines_on_a_terminal(server, "chatctl who --room attic") == ["nobody else in #attic"]
    rooms = lines_on_a_terminal(server, "chatctl rooms")
    assert rooms[0].split() == ["room", "people", "topic"]
    assert [line.split(maxsplit=2) for line in rooms[2:]] == [
        ["#dev", "2"], ["#ops", "1", "[bold]all is well[/]\\u202e"], ["#lobby", "0"]
    ]  # fmt: skip


def test_frames_on_a_terminal_if_they_are_asked_for(server: RunningServer) -> None:
    (line,) = lines_on_a_terminal(server, "chatctl who --room dev --json")
    assert json.loads(line)["count"] == 2
    topic = r'"[bold]all is well[/]\u202e"'
    assert topic in "".join(lines_on_a_terminal(server, "chatctl rooms --json"))


@pytest.mark.parametrize("command", ["who", "rooms"])
def test_exit_codes(server: RunningServer, command: str) -> None:
    down = run("127.0.0.1:1", f"chatctl {command}")
    assert (down.returncode, down.stdout) == (3, "")
    assert down.stderr.startswith("chatctl: nothing listens at 127.0.0.1:1")
    closed = run(server, f"{{ chatctl {command}; echo $? >&2; }} | :")
    assert closed.stderr in ("0\n", "141\n")
    assert run(server, f"chatctl {command} --room 'no room'").returncode == (4 if command == "who" else 2)
    assert run(server, f"chatctl {command} surplus:x").returncode == 2


def test_whoever_looks_needs_no_free_name(server: RunningServer) -> None:
    assert json.loads(run(server, "chatctl who --room dev --name ann").stdout)["names"] == ["ann", "bob"]
