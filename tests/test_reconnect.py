"""A client that loses its line comes back by itself: it gets everything once, and says everything once."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path

import pytest

import chatctl
from chatctl.client.connection import ChatClient
from chatctl.client.events import CaughtUp, Disconnected, Event, Reconnected
from chatctl.client.retry import LONGEST, SHORTEST, TAKEN_SECONDS, Retry
from chatctl.client.seen import Seen
from chatctl.errors import ConnectionFailed, Refused
from chatctl.messages import Ack, Gap, Join, Msg, Rename, RoomState
from tests.helpers import SECONDS, RunningServer, environment, fixed_port, fresh, running_server, wait_for
from tests.proxy import Proxy
from tests.scripted import Line, Script
from tests.window import Window

POSTS = 200

# How long to wait, and what was seen: without a network


def test_each_wait_is_longer_up_to_a_bound() -> None:
    for dice in (0.0, 0.999):
        retry = Retry(lambda: 0.0, lambda dice=dice: dice)  # type: ignore[misc]  # bound at once
        waits = [retry.wait("internal") for _ in range(12)]
        assert all(wait is not None and SHORTEST <= wait <= LONGEST for wait in waits)
        assert waits == sorted(waits, key=lambda wait: wait or 0)
        assert waits[-1] == waits[-2]


def test_a_server_is_left_alone_as_long_as_it_asks() -> None:
    retry = Retry(lambda: 0.0, lambda: 0.0)
    assert (retry.wait("shutting-down", 20) or 0) >= 20


@pytest.mark.parametrize(
    "code", ["replaced", "kicked", "banned", "auth-failed", "bad-name", "too-long", "bye"]
)
def test_what_is_final_is_not_tried_again(code: str) -> None:
    assert Retry().wait(code) is None


def test_a_taken_name_is_tried_for_a_while() -> None:
    now = [0.0]
    retry = Retry(lambda: now[0], lambda: 0.0)
    assert retry.wait("name-taken") is not None
    now[0] = TAKEN_SECONDS + 1
    assert retry.wait("name-taken") is None


def state(room: str, last: int) -> RoomState:
    return RoomState(room=room, topic="", count=1, members=[], last=last)


def msg(id_: int, room: str = "lobby") -> Msg:
    return Msg(id_, 1, room, "bob", "x")


def test_what_was_seen_is_asked_for_no_more() -> None:
    seen = Seen({"lobby": None}, 50)
    assert seen.wanted() == {"lobby": None}
    seen.enter(state("lobby", 7))
    assert seen.wanted() == {"lobby": None}, "the replay has not begun"
    assert seen.is_new(msg(3))
    assert seen.is_new(Ack(nonce="n", at=1, room="lobby", id=4))
    assert not seen.is_new(msg(4))
    assert seen.wanted() == {"lobby": 4}
    assert seen.is_new_gap(Gap("lobby", 4, 9))
    assert not seen.is_new_gap(Gap("lobby", 4, 9))
    assert seen.wanted() == {"lobby": 8}


def test_where_nothing_is_replayed_the_place_is_the_newest_id() -> None:
    seen = Seen({"lobby": None}, 0)
    seen.enter(state("lobby", 7))
    assert seen.wanted() == {"lobby": 7}
    empty = Seen({"lobby": None}, 50)
    empty.enter(state("lobby", 0))
    assert empty.wanted() == {"lobby": 0}


def test_rooms_are_those_one_is_in() -> None:
    seen = Seen({"lobby": 3}, 50)
    seen.join(Join("dev"))
    assert seen.wanted() == {"lobby": 3}, "nobody knows yet whether one may"
    seen.enter(state("dev", 0))
    seen.part("lobby")
    assert seen.wanted() == {"dev": 0}


# Against a scripted server


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes clients in this process try again at once."""
    monkeypatch.setattr("chatctl.client.retry.SHORTEST", 0.01)
    monkeypatch.setattr("chatctl.client.retry.LONGEST", 0.05)


def until(client: ChatClient, wanted: type[Event]) -> list[Event]:
    """Returns the events up to the first of a type."""
    events: list[Event] = []
    for event in client.events():
        events.append(event)
        if isinstance(event, wanted):
            return events
    raise AssertionError(f"it ended before {wanted}: {events}")


def ids(events: list[Event]) -> list[int | None]:
    return [event.id for event in events if isinstance(event, Msg | Ack)]


@pytest.mark.usefixtures("_impatient")
def test_the_way_back() -> None:
    """The client asks for what follows, and says again only what did not arrive, when the replay is over."""
    nonces: list[str] = []

    def first(line: Line) -> None:
        assert "rooms" not in line.welcome("s1")
        line.room(1)
        line.msg(1)
        nonces.extend(line.receive("say")["nonce"] for _ in range(2))

    def second(line: Line) -> None:
        hello = line.welcome("s2", "ann2")
        assert (hello["name"], hello["resume"], hello["rooms"]) == ("ann", "s1", {"lobby": 1})
        line.room(3)
        line.msg(2)
        line.send("msg", id=3, at=1, room="lobby", name="ann", text="arrived", nonce=nonces[0])
        line.msg(3)  # not again
        line.pong()
        assert line.receive("say")["nonce"] == nonces[1]

    def third(line: Line) -> None:
        hello = line.welcome("s3")
        assert (hello["name"], hello["resume"], hello["rooms"]) == ("ann2", "s2", {"lobby": 3})
        line.room(3)
        line.pong()
        assert line.receive("say")["nonce"] == nonces[1]
        line.send("ack", nonce=nonces[1], at=1, room="lobby", id=4)
        line.send("ack", nonce=nonces[0], at=1, room="lobby", id=3)  # of a repeat: settled long ago
        line.bye()

    with Script(first, second, third) as script, ChatClient.connect(*script.address, "ann") as ann:
        until(ann, Msg)
        arrived, lost = ann.post("arrived"), ann.post("lost")
        events = until(ann, CaughtUp)
        assert ids(events) == [2, 3]
        assert isinstance(events[-1], CaughtUp)
        assert events[-1].messages == 1
        assert [type(event) for event in events[:2]] == [Disconnected, Reconnected]
        assert arrived.result(SECONDS).id == 3
        until(ann, CaughtUp)
        assert lost.result(SECONDS).id == 4
        ann.leave()
        assert ids(list(ann)) == [4]
        assert ann.unacked == {}


@pytest.mark.usefixtures("_impatient")
def test_a_fresh_join_whose_replay_never_came_is_fresh_again() -> None:
    def first(line: Line) -> None:
        line.welcome("s1")
        line.room(100)

    def second(line: Line) -> None:
        assert line.welcome("s2")["rooms"] == {"lobby": None}
        line.room(100)
        line.msg(100)
        line.pong()
        line.bye()

    with Script(first, second) as script, ChatClient.connect(*script.address, "ann") as ann:
        assert ids(until(ann, CaughtUp)) == [100]
        ann.leave()
        list(ann)


@pytest.mark.usefixtures("_impatient")
def test_what_was_asked_for_and_not_answered_is_asked_for_again() -> None:
    def first(line: Line) -> None:
        line.welcome("s1")
        line.receive("join")
        line.receive("rename")
        line.receive("search")

    def second(line: Line) -> None:
        line.welcome("s2")
        line.pong()
        join, rename, search = (line.receive(t) for t in ("join", "rename", "search"))
        line.room(0, "dev")
        line.send("room", room="dev", topic="", count=1, members=["ann"], last=0, re=join["n"])
        line.send("renamed", name="ann", to="ann2", re=rename["n"])
        line.send("found", messages=[], more=False, re=search["n"])

    def third(line: Line) -> None:
        hello = line.welcome("s3", "ann2")
        assert (hello["name"], hello["rooms"]) == ("ann2", {"lobby": None, "dev": 0})
        line.pong()
        line.bye()

    with Script(first, second, third) as script, ChatClient.connect(*script.address, "ann") as ann:
        ann.send(Join("#dev"))
        ann.send(Rename("ann2"))
        assert ann.search("x").messages == []
        until(ann, CaughtUp)
        until(ann, CaughtUp)
        ann.leave()
        list(ann)


@pytest.mark.usefixtures("_impatient")
def test_the_key_is_shown_to_the_server_each_time() -> None:
    def first(line: Line) -> None:
        assert line.welcome("s1")["key"] == "topsecret"

    def second(line: Line) -> None:
        assert line.welcome("s2")["key"] == "topsecret"
        line.pong()
        line.bye()

    with (
        Script(first, second) as script,
        ChatClient.connect(*script.address, "ann", key="topsecret") as ann,
    ):
        assert "topsecret" not in repr(until(ann, CaughtUp))
        ann.leave()
        list(ann)


def test_who_was_replaced_stays_away() -> None:
    def only(line: Line) -> None:
        line.welcome("s1")
        line.send("bye", code="replaced", text="you came back on another connection")

    with Script(only) as script, ChatClient.connect(*script.address, "ann") as ann:
        with pytest.raises(ConnectionFailed) as caught:
            list(ann)
        assert caught.value.code == "replaced"
        with pytest.raises(ConnectionFailed):
            ann.say("x")


def test_closing_ends_a_wait_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatctl.client.retry.SHORTEST", 600.0)
    monkeypatch.setattr("chatctl.client.retry.LONGEST", 600.0)

    def only(line: Line) -> None:
        line.welcome("s1")

    with Script(only) as script:
        ann = ChatClient.connect(*script.address, "ann")
        until(ann, Disconnected)
        answer = ann.post("never")
        ann.close()
        assert list(ann) == []
        with pytest.raises(ConnectionFailed):
            answer.result(SECONDS)


def test_a_try_can_be_made_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatctl.client.retry.SHORTEST", 600.0)
    monkeypatch.setattr("chatctl.client.retry.LONGEST", 600.0)

    def first(line: Line) -> None:
        line.welcome("s1")

    def second(line: Line) -> None:
        line.welcome("s2")
        line.pong()

    with Script(first, second) as script, ChatClient.connect(*script.address, "ann") as ann:
        ann.retry_now()  # There is nothing to try.
        until(ann, Disconnected)
        ann.retry_now()
        until(ann, CaughtUp)


@pytest.mark.usefixtures("_impatient")
def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatctl.client.outgoing.MAX_WAITING", 10)

    def only(line: Line) -> None:
        line.welcome("s1")

    with Script(only) as script, ChatClient.connect(*script.address, "ann") as ann:
        until(ann, Disconnected)
        for number in range(10):
            ann.post(str(number))
        with pytest.raises(Refused):
            ann.post("one too many")


# Against a real server


@contextmanager
def restartable(data: Path) -> Iterator[Callable[[], RunningServer]]:
    """Gives what starts a server on the same port and data directory each time, once the last was killed."""
    port = fixed_port()
    with ExitStack() as servers:

        def start() -> RunningServer:
            servers.close()
            server = servers.enter_context(
                running_server("--data", str(data), "--rate", "0", "--port", str(port))
            )
            servers.callback(server.kill)
            return server

        yield start


@pytest.mark.usefixtures("_impatient")
def test_everything_once_while_the_server_is_killed_again_and_again(tmp_path: Path) -> None:
    with restartable(tmp_path) as start:
        server = start()
        with (
            ChatClient.connect(server.host, server.port, "ann") as ann,
            ChatClient.connect(server.host, server.port, "bob") as bob,
        ):
            heard: list[Event] = []
            reader = threading.Thread(target=lambda: heard.extend(bob.events()), daemon=True)
            reader.start()
            acks = []
            for round_ in range(4):
                answers = [ann.post(f"{round_} {number}") for number in range(200)]
                wait_for(lambda: any(answer.done() for answer in answers), "an ack")  # noqa: B023 - called here
                start()
                acks += [answer.result(SECONDS) for answer in answers]
            assert [ack.id for ack in acks] == list(range(1, 801))
            wait_for(lambda: len(ids(list(heard))) == 800, "all messages")
            page = bob.history(after=0, limit=500).messages + bob.history(after=500, limit=500).messages
            bob.close()
            reader.join(SECONDS)
        said = [f"{round_} {number}" for round_ in range(4) for number in range(200)]
        assert [event.text for event in heard if isinstance(event, Msg)] == said
        assert [message.text for message in page] == said
        assert sum(isinstance(event, Disconnected) for event in heard) >= 4


@pytest.mark.usefixtures("_impatient")
def test_over_a_line_that_loses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatctl.client.link.QUIET_SECONDS", 0.3)
    with (
        running_server("--rate", "0") as server,
        Proxy(server.port, 7) as proxy,
        come_in(proxy.port) as ann,
        ChatClient.connect(server.host, server.port, "bob") as bob,
    ):
        answers = []
        for number in range(POSTS):
            answers.append(ann.post(f"{number} ".ljust(1_000, "x")))
            ann.wait_acked(20)
        proxy.become_reliable()
        assert [answer.result(SECONDS).id for answer in answers] == list(range(1, POSTS + 1))
        heard = [int(event.text.split()[0]) for event in islice(messages_of(bob), POSTS)]
        assert heard == list(range(POSTS))
        assert proxy.fates.total() > 2


def come_in(port: int) -> ChatClient:
    """Returns a client that came in, however often its line was lost on the way."""
    while True:
        try:
            return ChatClient.connect("127.0.0.1", port, "ann", timeout=1)
        except ConnectionFailed:
            continue


def messages_of(client: ChatClient) -> Iterator[Msg]:
    return (event for event in client.events() if isinstance(event, Msg))


# As people see it


def test_a_person_sees_the_line_go_and_come_back(tmp_path: Path) -> None:
    with restartable(tmp_path) as start:
        server = start()
        with Window(server, "ann") as ann:
            ann.expect("#lobby>")
            server.kill()
            ann.expect_somewhere("#lobby (reconnecting in")
            ann.enter("said while it was away")
            with start().client("bob", rooms={"lobby": 0}) as bob:
                bob.expect("msg", text="said while it was away", id=1)
                ann.expect_somewhere("— back: you missed nothing")
                ann.expect_somewhere("ann: said while it was away")
                bob.say("welcome back")
                ann.expect_somewhere("bob: welcome back")
            ann.enter("exit")
            assert ann.end() == 0


def test_a_person_may_leave_while_the_line_is_down(tmp_path: Path) -> None:
    with restartable(tmp_path) as start:
        server = start()
        with Window(server, "ann") as ann:
            ann.expect("#lobby>")
            server.kill()
            ann.expect_somewhere("(reconnecting in")
            ann.enter("never said")
            ann.expect_somewhere(", 1 to send)>")
            ann.enter("")
            ann.enter("exit")
            assert ann.end() == 0
            assert "! not delivered: never said" in ann.lines()


def test_a_pipe_waits_for_the_server_to_come_back(tmp_path: Path) -> None:
    with restartable(tmp_path) as start:
        server = start()
        proc = subprocess.Popen(
            [sys.executable, "-m", "chatctl", "join", f"{server.host}:{server.port}", "--name", "ann"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            bufsize=0,
        )
        with proc:
            assert proc.stdin and proc.stdout and proc.stderr
            assert b"#lobby" in proc.stdout.readline()
            server.kill()
            assert b"is sent when the server is back" in proc.stderr.readline()
            proc.stdin.write(b"one\ntwo\n")
            proc.stdin.close()
            with start().client("bob", rooms={"lobby": 0}) as bob:
                assert bob.texts(2) == ["one", "two"]
            assert proc.wait(SECONDS) == 0
            assert proc.stderr.read() == b"chatctl: back: you missed nothing\n"


# As programs use it

README = (Path(__file__).parent.parent / "README.md").read_text("utf-8")


def test_the_bot_of_the_readme(tmp_path: Path) -> None:
    (code,) = (block.partition("```")[0] for block in README.split("```python\n")[1:])
    assert len(code.strip().splitlines()) <= 10
    bot = tmp_path / "bot.py"
    with running_server() as server:
        bot.write_text(code.replace("12345", str(server.port)))
        proc = subprocess.Popen([sys.executable, str(bot)], env=environment())
        try:
            name = fresh("ann")
            with server.client(name) as ann:
                ann.expect("presence", joined=["echo"])
                ann.say("!echo hello there")
                ann.expect("msg", name="echo", text="hello there")
        finally:
            proc.kill()
            proc.wait()


def test_the_client_is_the_package_s() -> None:
    assert chatctl.ChatClient is ChatClient
    with pytest.raises(AttributeError, match="nothing"):
        _ = chatctl.nothing
