"""The connection as a library: coming in, saying, reading, leaving, and every way in which that fails."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest

from chatctl.client.connection import ChatClient
from chatctl.client.events import Event
from chatctl.errors import ConnectionFailed, Refused
from chatctl.messages import (
    Ack,
    Error,
    Frame,
    Msg,
    Presence,
    Rename,
    Renamed,
    RoomState,
    Say,
    Told,
)
from tests.helpers import SECONDS, RawClient, RunningServer, running_server

E = TypeVar("E", bound=Frame)


@pytest.fixture
def server() -> Iterator[RunningServer]:
    with running_server("--rate", "0") as running:
        yield running


def connect(server: RunningServer, name: str, *, reconnect: bool = False) -> ChatClient:
    return ChatClient.connect(server.host, server.port, name, reconnect=reconnect)


def until(client: ChatClient, wanted: type[E]) -> E:
    """Returns the next event of a type; those before it are left out."""
    for event in client.events():
        if isinstance(event, wanted):
            return event
    raise AssertionError(f"the connection ended before {wanted}")


# Against a real server


def test_a_client_comes_in_talks_and_leaves(server: RunningServer) -> None:
    with connect(server, "ann") as ann, connect(server, "bob") as bob:
        assert (ann.name, ann.welcome.name) == ("ann", "ann")
        assert isinstance(ann.receive()[0], RoomState)
        acked = ann.say("hello")
        ack = until(ann, Ack)
        assert ack == acked
        assert (ack.room, ack.id) == ("lobby", 1)
        assert isinstance(ann.unacked[ack.nonce], Say)
        message = until(bob, Msg)
        assert (message.name, message.text, message.nonce) == ("ann", "hello", None)
        ann.leave()
        assert list(ann) == []
        assert ann.unacked == {}
        assert ann.receive() == []


def test_private_messages_and_actions(server: RunningServer) -> None:
    with connect(server, "ann") as ann, connect(server, "bob") as bob:
        acked = ann.tell("BOB", "psst", "action")
        told = until(bob, Told)
        assert (told.name, told.text, told.kind) == ("ann", "psst", "action")
        assert until(ann, Ack) == acked
        assert (acked.room, acked.id) == (None, None)


def test_a_refused_post_keeps_the_connection(server: RunningServer) -> None:
    with connect(server, "ann") as ann:
        with pytest.raises(Refused) as caught:
            ann.say("hello", room="elsewhere")
        assert caught.value.code == "not-in-room"
        error = until(ann, Error)
        assert error.code == "not-in-room"
        assert error.nonce in ann.unacked
        ann.say("still here")
        assert until(ann, Ack)
        assert error.nonce not in ann.unacked


def test_a_post_is_acked_in_time_or_not_at_all() -> None:
    with (
        stub(welcome_and_ignore) as address,
        ChatClient.connect(*address, "ann", reconnect=False) as ann,
        pytest.raises(TimeoutError),
    ):
        ann.say("hello", timeout=0.05)


def test_what_is_submitted_is_told_of_by_its_nonce(server: RunningServer) -> None:
    with connect(server, "ann") as ann:
        nonces = [ann.submit("one"), ann.submit("two", to="nobody-here"), ann.submit("three", "elsewhere")]
        assert list(ann.unacked) == nonces
        assert [until(ann, Ack).nonce, until(ann, Error).nonce, until(ann, Error).nonce] == nonces
        with pytest.raises(Refused):
            ann.submit("\x1b")


def test_reading_waits_as_long_as_it_is_told_to(server: RunningServer) -> None:
    with connect(server, "ann") as ann:
        until(ann, RoomState)
        with pytest.raises(TimeoutError):
            ann.receive(0.05)
        ann.post("hello")
        assert isinstance(ann.receive(SECONDS)[0], Ack)


def test_pages_and_searches(server: RunningServer) -> None:
    with connect(server, "ann") as ann:
        for text in ("red apples", "green apples", "pears"):
            ann.say(text)
        page = ann.history(limit=2)
        assert ([message.text for message in page.messages], page.more) == (["green apples", "pears"], True)
        assert [message.id for message in ann.history(after=1, limit=1).messages] == [2]
        assert [message.id for message in ann.history(before=2).messages] == [1]
        assert [message.id for message in ann.history(since=0).messages] == [1, 2, 3]
        found = ann.search("APPLES")
        assert [message.text for message in found.messages] == ["green apples", "red apples"]
        with pytest.raises(Refused) as caught:
            ann.history("no room")
        assert caught.value.code == "bad-room"
        ann.leave()
        # Answers are not events, whoever reads those.
        assert {type(event) for event in ann.events()} <= {RoomState, Ack}


def test_the_name_follows_a_rename(server: RunningServer) -> None:
    with connect(server, "ann") as ann:
        ann.send(Rename("ann2"))
        assert until(ann, Renamed)
        assert ann.name == "ann2"


def test_rooms_and_backlog(server: RunningServer) -> None:
    with ChatClient.connect(server.host, server.port, "ann", {"dev": None}) as ann:
        ann.say("one", "dev")
        ann.say("two", "dev")
        until(ann, Ack)
        until(ann, Ack)
        with ChatClient.connect(server.host, server.port, "bob", {"dev": None}, backlog=1) as bob:
            message = until(bob, Msg)
            assert message.text == "two"
        with ChatClient.connect(server.host, server.port, "cat", {"dev": 0}) as cat:
            message = until(cat, Msg)
            assert message.text == "one"
        with ChatClient.connect(server.host, server.port, "dog", {}) as dog:
            dog.leave()
            assert dog.receive() == []


def test_many_threads_may_send(server: RunningServer) -> None:
    with connect(server, "ann") as ann:
        nonces: list[str] = []
        threads = [
            threading.Thread(target=lambda: nonces.extend(ann.say("x" * 2000).nonce for _ in range(50)))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        acked = {until(ann, Ack).nonce for _ in range(200)}
        for thread in threads:
            thread.join()
        assert acked == set(nonces)
        assert len(acked) == 200


def test_waiting_for_acks(server: RunningServer) -> None:
    with connect(server, "ann") as ann:
        reader = threading.Thread(target=lambda: [None for _ in ann.events()])
        reader.start()
        for _ in range(20):
            ann.post("x")
            assert ann.wait_acked(3)
        assert ann.wait_acked()
        ann.leave()
        reader.join(SECONDS)
        assert not reader.is_alive()


def test_closing_wakes_the_reader(server: RunningServer) -> None:
    ann = connect(server, "ann")
    ended: list[bool] = []
    reader = threading.Thread(target=lambda: ended.append(list(ann.events())[-1:] != [None]))
    reader.start()
    ann.close()
    ann.close()
    reader.join(SECONDS)
    assert ended == [True]
    with pytest.raises(ConnectionFailed):
        ann.say("hello")


def test_what_is_not_acked_when_it_ends_is_told() -> None:
    with stub(welcome_and_listen) as address:
        ann = ChatClient.connect(*address, "ann", reconnect=False)
        answer = ann.post("hello")
        with pytest.raises(ConnectionFailed):
            list(ann)
        with pytest.raises(ConnectionFailed):
            answer.result(SECONDS)
        assert not ann.wait_acked()
        assert [post.text for post in ann.unacked.values()] == ["hello"]
        ann.close()


@pytest.mark.parametrize("text", ["\x1b[2J", "x" * 8001, "\ud800", "é" * 4001])
def test_a_text_that_nobody_would_take_is_not_sent(server: RunningServer, text: str) -> None:
    with connect(server, "ann") as ann:
        with pytest.raises(Refused) as caught:
            ann.say(text)
        assert caught.value.code == "bad-text"
        with pytest.raises(Refused):
            ann.send(Rename("x" * 20_000))
        assert ann.unacked == {}
        ann.say('\\"\n' * 2_600)
        assert until(ann, Ack)


def test_a_server_that_is_killed_ends_the_reading() -> None:
    with running_server() as server, connect(server, "ann") as ann:
        ann.receive()
        server.proc.kill()
        with pytest.raises(ConnectionFailed, match=r"closed the connection|lost the connection"):
            list(ann)
        with pytest.raises(ConnectionFailed):
            ann.receive()
        server.proc.wait()


def test_a_server_that_stops_says_why() -> None:
    with running_server() as server, connect(server, "ann") as ann:
        server.stop()
        with pytest.raises(ConnectionFailed) as caught:
            list(ann)
        assert caught.value.code == "shutting-down"


# Not getting in


def test_a_name_that_is_taken(server: RunningServer) -> None:
    with connect(server, "ann"), pytest.raises(ConnectionFailed, match="that name is taken") as caught:
        connect(server, "Ann")
    assert (caught.value.code, caught.value.refused, caught.value.exit_code) == ("name-taken", True, 4)


@pytest.mark.parametrize("name", ["", "a b", "\ud800", "x" * 33, "a\n"])
def test_a_name_that_is_none(name: str) -> None:
    with pytest.raises(ConnectionFailed) as caught:
        ChatClient.connect("127.0.0.1", 1, name)
    assert (caught.value.code, caught.value.refused) == ("bad-name", True)


@pytest.mark.parametrize("key", ["x" * 2_000, "tops\ncret", "tops\ud800cret"])
def test_a_key_that_is_none_is_not_shown(key: str) -> None:
    with pytest.raises(ConnectionFailed, match=r"^that is no key") as caught:
        ChatClient.connect("127.0.0.1", 1, "ann", key=key)
    assert (caught.value.code, caught.value.refused) == ("auth-failed", True)
    assert key not in repr(caught.value)
    assert caught.value.__context__ is None


def test_a_room_that_is_none() -> None:
    with pytest.raises(ConnectionFailed) as caught:
        ChatClient.connect("127.0.0.1", 1, "ann", {"a b": None})
    assert caught.value.code == "bad-room"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        assert isinstance(port, int)
        return port


def test_nothing_listens() -> None:
    with pytest.raises(
        ConnectionFailed, match=r"nothing listens at 127\.0\.0\.1:\d+: is a server running"
    ) as caught:
        ChatClient.connect("127.0.0.1", free_port(), "ann")
    assert (caught.value.refused, caught.value.exit_code) == (False, 3)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 64 + ".example", "a..b", "a\0b"])
def test_a_host_that_is_none(host: str) -> None:
    with pytest.raises(ConnectionFailed, match=r"^cannot find ") as caught:
        ChatClient.connect(host, 1, "ann", timeout=5)
    assert str(caught.value).isprintable()


# Against something that only looks like a server


@contextmanager
def stub(act: Callable[[socket.socket], None]) -> Iterator[tuple[str, int]]:
    """Listens, and lets `act` treat the one who connects after the hello; yields the address."""

    def serve() -> None:
        sock, _ = listener.accept()
        with sock:
            sock.recv(65536)
            act(sock)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()
        finally:
            thread.join(SECONDS)


WELCOME = (
    b'{"t":"welcome","v":1,"name":"ann","server":"x","session":"s","limits":{"frame":1,"text":1,"topic":1,'
    b'"name":1,"room":1,"nonce":1,"backlog":1,"rooms":1,"outbox":1,"rate":0,"burst":1}}\n'
)


def welcome_and_ignore(sock: socket.socket) -> None:
    """Lets the client in, and answers nothing until it has gone."""
    sock.sendall(WELCOME)
    while sock.recv(1024):
        pass


def welcome_and_listen(sock: socket.socket) -> None:
    """Lets the client in, and goes when it says hello."""
    sock.sendall(WELCOME)
    while b"hello" not in sock.recv(1024):
        pass


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", "closed the connection without a word"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "is not a chatctl server"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "is not a chatctl server"),
        (b'{"t":"pong"}\n', "is not a chatctl server"),
        (b"x" * (1 << 20), "is not a chatctl server"),
        (b'{"t":"bye","code":"shutting-down","text":"later\\u001b[2J"}\n', r"says: later\\x1b\[2J"),
        (b'{"t":"error","code":"banned","text":"no","fatal":true}\n', "says: no"),
    ],
)
def test_an_answer_that_is_no_welcome(answer: bytes, error: str) -> None:
    with stub(lambda sock: sock.sendall(answer)) as address, pytest.raises(ConnectionFailed, match=error):
        ChatClient.connect(*address, "ann")


def test_a_server_that_says_nothing_is_given_up() -> None:
    given_up = threading.Event()
    begun = time.monotonic()

    def dawdle(sock: socket.socket) -> None:
        sock.sendall(b"\n")
        given_up.wait(SECONDS)

    with stub(dawdle) as address:
        with pytest.raises(ConnectionFailed, match="does not answer as a chat server does") as caught:
            ChatClient.connect(*address, "ann", timeout=0.2)
        given_up.set()
    assert caught.value.code == "timeout"
    assert time.monotonic() - begun < SECONDS


def session(data: bytes) -> tuple[list[Event], ConnectionFailed | None]:
    """Returns what a client makes of `data` after the welcome, and how that ends."""
    events: list[Event] = []
    with (
        stub(lambda sock: sock.sendall(WELCOME + data)) as address,
        ChatClient.connect(*address, "ann", reconnect=False) as ann,
    ):
        try:
            events.extend(ann.events())
        except ConnectionFailed as failure:
            return events, failure
    return events, None


def test_frames_of_a_later_server_are_left_out() -> None:
    events, failure = session(
        b'{"t":"novelty","n":1}\n{"t":"notice","text":"x","new":1}\n{"t":"bye",'
        b'"code":"bye","text":"goodbye"}\n'
    )
    assert [type(event).__name__ for event in events] == ["Notice"]
    assert failure is None


@pytest.mark.parametrize(
    ("data", "code", "text", "refused"),
    [
        (b"", "internal", "the server closed the connection", False),
        (b'{"t":"notice"', "internal", "the server closed the connection", False),
        (b"rubbish\n", "bad-frame", "the server sent what is not a frame", False),
        (b"x" * (1 << 20), "too-long", "the server sent what is not a frame", False),
        (b'{"t":"bye","code":"slow-consumer","text":"too\\nslow"}\n', "slow-consumer", r"too\nslow", False),
        (b'{"t":"bye","code":"banned","text":"go"}\n', "banned", "go", True),
        (b'{"t":"error","code":"bad-frame","text":"oh","fatal":true}\n', "bad-frame", "oh", True),
    ],
)
def test_a_server_that_ends_it(data: bytes, code: str, text: str, refused: bool) -> None:
    events, failure = session(b'{"t":"notice","text":"before"}\n' + data)
    assert len(events) == 1
    assert failure is not None
    assert (failure.code, failure.refused) == (code, refused)
    assert str(failure).startswith(text)


def test_pings_are_answered() -> None:
    answers: list[bytes] = []

    def ping(sock: socket.socket) -> None:
        sock.sendall(WELCOME + b'{"t":"ping","n":7}\n{"t":"notice","text":"x"}\n')
        answers.append(sock.recv(1024))
        sock.sendall(b'{"t":"bye","code":"bye","text":""}\n')

    with stub(ping) as address, ChatClient.connect(*address, "ann", reconnect=False) as ann:
        assert len(list(ann)) == 1
    assert answers == [b'{"t":"pong","re":7}\n']


def test_nothing_is_lost_between_two_loops(server: RunningServer) -> None:
    with connect(server, "ann") as ann, connect(server, "bob") as bob:
        for number in range(50):
            ann.say(str(number))
        assert [until(bob, Msg).text for _ in range(50)] == [str(number) for number in range(50)]


def test_presence_reaches_the_others(server: RunningServer) -> None:
    with connect(server, "ann") as ann:
        ann.receive()
        with RawClient(server.host, server.port) as bob:
            bob.hello("bob")
            came = until(ann, Presence)
            assert came.joined == ["bob"]
