"""A server that lies, floods, stalls or talks nonsense: the client stays small, clear, and its user's own."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import count, repeat
from pathlib import Path
from typing import IO

import pytest

from chatctl.client.connection import ChatClient
from chatctl.client.events import CaughtUp, Disconnected, Event
from chatctl.client.inbox import MAX_BYTES, NAME_BYTES, Inbox
from chatctl.client.retry import LONGEST_ASKED, Retry
from chatctl.client.seen import Seen
from chatctl.errors import ConnectionFailed, Refused
from chatctl.messages import MAX_SERVER_FRAME, Ack, Gap, Members, Msg, Notice, Presence, RoomState
from tests.helpers import SECONDS, environment, running_server, wait_for
from tests.scripted import line, welcome
from tests.window import Window, command

MEGABYTE = 1 << 20
MOST_GROWTH = 50 * MEGABYTE  # of a client's memory, whatever it is sent
STALL_SECONDS = 1.0  # without taking a byte: the client reads no more


PING = line("ping")
ROOM = line("room", room="lobby", topic="", count=1, members=["ann"], last=0)


class Hostile:
    """A server that lets `act` treat each connection in turn, once the hello was read.

    Args:
        acts: for one connection after the other.
        narrow: little fits into its side of the line.
    """

    def __init__(self, *acts: Callable[[socket.socket], None], narrow: bool = False) -> None:
        self._acts = acts
        self._listener = socket.socket()
        if narrow:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.address: tuple[str, int] = self._listener.getsockname()
        self.hellos: list[bytes] = []
        self.failures: list[Exception] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def where(self) -> str:
        return f"127.0.0.1:{self.address[1]}"

    def _serve(self) -> None:
        try:
            for act in self._acts:
                sock, _ = self._listener.accept()
                with sock:
                    sock.settimeout(SECONDS)
                    self.hellos.append(sock.recv(65536))
                    act(sock)
        except Exception as failure:  # noqa: BLE001 - shown by the test
            self.failures.append(failure)

    def __enter__(self) -> Hostile:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._listener.close()
        self._thread.join(SECONDS)
        for failure in self.failures:
            traceback.print_exception(failure)
        assert kind or not (self.failures or self._thread.is_alive())


def reads(sock: socket.socket, wanted: bytes) -> bytes:
    """Reads until `wanted` was read; returns all of it."""
    seen = bytearray()
    while wanted not in seen[-65536 - len(wanted) :]:
        data = sock.recv(65536)
        assert data, seen
        seen += data
    return bytes(seen)


def stay(sock: socket.socket) -> None:
    """Waits until the client has gone."""
    with suppress(OSError):
        while sock.recv(65536):
            pass


def until(client: ChatClient, wanted: type[Event]) -> list[Event]:
    events: list[Event] = []
    for event in client.events():
        events.append(event)
        if isinstance(event, wanted):
            return events
    raise AssertionError(f"it ended before {wanted}: {events}")


# Memory: of the real program


def memory(pid: int, what: str) -> int:
    """Returns bytes: ``VmRSS``, what a process has now, or ``VmHWM``, the most it ever had."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition(f"{what}:")[2].split()[0]) * 1024


_fresh = (f"n{number}" for number in count())


def names(number: int) -> list[str]:
    """Returns names that nobody had yet."""
    return [next(_fresh) for _ in range(number)]


def message(text: str) -> bytes:
    return line("msg", id=next(_ids), at=1, room="lobby", name="bob", text=text)


_ids = count(1)

# What is sent, and how much: what takes the client long, less.
FLOODS: dict[str, tuple[int, Callable[[], Iterator[bytes]]]] = {
    "unknown": (
        20 * MEGABYTE,
        lambda: repeat(b'{"t":"later","x":[' + b"{}," * 340_000 + b"{}]}\n"),
    ),
    "texts": (20 * MEGABYTE, lambda: (message("x" * 8_000) for _ in count())),
    "blank": (8 * MEGABYTE, lambda: repeat(b"\n" * 65536)),
    "emoji": (4 * MEGABYTE, lambda: (message("\U0001f600" * 2_000) for _ in count())),
    "line feeds": (2 * MEGABYTE, lambda: (message("\n" * 8_000) for _ in count())),
    "pings": (2 * MEGABYTE, lambda: repeat(PING * 5_000)),
    "acks": (2 * MEGABYTE, lambda: (line("ack", nonce=next(_fresh), at=1) for _ in count())),
    "errors": (MEGABYTE, lambda: (line("error", code="x", text="", nonce=next(_fresh)) for _ in count())),
    "comers": (
        7 * MEGABYTE,
        lambda: (line("presence", room="lobby", joined=names(200), left=[], count=9) for _ in count()),
    ),
    "rooms": (
        7 * MEGABYTE,
        lambda: (
            line("room", room=next(_fresh), topic="t" * 300, count=9, members=names(200), last=1)
            for _ in count()
        ),
    ),
    "members": (
        MEGABYTE,
        lambda: (line("members", room="lobby", names=names(5_000), count=9) for _ in count()),
    ),
    "history": (
        MEGABYTE,
        lambda: repeat(
            line(
                "history",
                room="lobby",
                more=True,
                messages=[{"id": 1, "at": 1, "room": "lobby", "name": "bob", "text": "x"}] * 500,
            )
        ),
    ),
}


def flood(sock: socket.socket, size: int, stream: Iterator[bytes]) -> None:
    while size > 0:
        data = b"".join(next(stream) for _ in range(10))
        sock.sendall(data)
        size -= len(data)


def test_a_client_that_shows_all_it_is_sent_stays_small() -> None:
    started, all_taken, over = threading.Event(), threading.Event(), threading.Event()

    def act(sock: socket.socket) -> None:
        sock.sendall(welcome() + ROOM)
        started.wait(SECONDS)
        threading.Thread(target=listen, args=(sock,), daemon=True).start()
        for size, make in FLOODS.values():
            flood(sock, size, make())
        sock.sendall(line("ping", n=4711))
        over.wait(SECONDS)

    def listen(sock: socket.socket) -> None:
        """Reads pongs, up to that for the last ping."""
        sock.settimeout(None)
        reads(sock, b'"re":4711')
        all_taken.set()

    assert sum(size for size, _ in FLOODS.values()) > MOST_GROWTH
    with Hostile(act) as server, joined(server, subprocess.PIPE) as client:
        assert client.stdout is not None
        assert b"nobody else is here" in client.stdout.readline()
        before = memory(client.pid, "VmRSS")
        drain = threading.Thread(target=throw_away, args=(client.stdout,))
        drain.start()
        started.set()
        assert all_taken.wait(100)
        assert memory(client.pid, "VmHWM") - before < MOST_GROWTH
        over.set()
        client.kill()
        drain.join(SECONDS)


def throw_away(stream: IO[bytes]) -> None:
    while stream.read(65536):
        pass


@contextmanager
def joined(
    server: Hostile, stdout: int, stderr: int = subprocess.DEVNULL
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs ``chatctl join`` with nothing at its standard input."""
    proc = subprocess.Popen(
        command(server.where, "ann"),
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=stderr,
        env=environment(),
    )
    with proc:
        try:
            yield proc
        finally:
            proc.kill()


def flood_until_stuck(started: threading.Event, stuck: threading.Event) -> Callable[[socket.socket], None]:
    """Returns what floods a client until it reads no more."""

    def act(sock: socket.socket) -> None:
        sock.sendall(welcome() + ROOM)
        started.wait(SECONDS)
        sock.settimeout(STALL_SECONDS)
        with suppress(TimeoutError):
            for _ in range(20):
                for name in ("texts", "rooms", "members", "comers"):
                    flood(sock, MEGABYTE, FLOODS[name][1]())
            raise AssertionError("it reads on and on")
        stuck.set()
        stay(sock)

    return act


@contextmanager
def window(server: Hostile) -> Iterator[int]:
    """Runs ``chatctl join`` in a terminal that nobody looks at; yields its process id."""
    with Window(server.where, "ann") as client:
        client.expect("#lobby>")
        yield client.proc.pid


@contextmanager
def pipe(server: Hostile) -> Iterator[int]:
    """Runs ``chatctl join`` writing into a pipe that nobody reads; yields its process id."""
    with joined(server, subprocess.PIPE) as client:
        assert client.stdout is not None
        client.stdout.readline()
        yield client.pid


@pytest.mark.parametrize("run", [window, pipe])
def test_a_client_whose_output_nobody_reads_stays_small(
    run: Callable[[Hostile], AbstractContextManager[int]],
) -> None:
    started, stuck = threading.Event(), threading.Event()
    with Hostile(flood_until_stuck(started, stuck)) as server, run(server) as pid:
        before = memory(pid, "VmRSS")
        started.set()
        assert stuck.wait(60)
        assert memory(pid, "VmHWM") - before < MOST_GROWTH


def test_a_question_that_is_not_answered_keeps_nothing_of_what_else_comes() -> None:
    asked = threading.Event()

    def act(sock: socket.socket) -> None:
        sock.sendall(welcome())
        reads(sock, b'"history"')
        flood(sock, MEGABYTE, FLOODS["texts"][1]())
        asked.set()
        flood(sock, 50 * MEGABYTE, FLOODS["texts"][1]())
        flood(sock, 2 * MEGABYTE, FLOODS["comers"][1]())
        grown.append(memory(proc.pid, "VmHWM") - before)
        sock.sendall(line("history", room="lobby", messages=[], more=False, re=-1))
        stay(sock)

    grown: list[int] = []
    with Hostile(act) as server:
        args = ["history", server.where, "--name", "ann"]
        proc = subprocess.Popen([sys.executable, "-m", "chatctl", *args], env=environment())
        with proc:
            asked.wait(SECONDS)
            before = memory(proc.pid, "VmRSS")
            assert proc.wait(60) == 0
    assert grown[0] < MOST_GROWTH / 2


def test_what_waits_is_bounded_in_bytes_and_one_event_is_never_too_much() -> None:
    inbox = Inbox()
    inbox.size = MAX_BYTES
    full = [inbox.is_full]
    inbox.add(Notice("x"))
    full.append(inbox.is_full)
    assert list(inbox.take()) == [Notice("x")]
    full.append(inbox.is_full)
    assert full == [False, True, False]
    assert not inbox.take()


@pytest.mark.parametrize(
    "event",
    [
        Members(names=["a"] * 150, count=1),
        Presence(room="lobby", joined=["a"] * 100, left=["a"] * 50, count=1),
        RoomState(room="lobby", topic="", count=1, members=["a"] * 150, last=0),
    ],
)
def test_names_count_for_what_they_take(event: Event) -> None:
    inbox = Inbox()
    inbox.add(event)
    assert inbox.size == 150 * NAME_BYTES


def test_events_are_not_read_ahead_without_end() -> None:
    stuck = threading.Event()

    def act(sock: socket.socket) -> None:
        sock.sendall(welcome())
        sock.settimeout(STALL_SECONDS)
        with suppress(TimeoutError):
            flood(sock, 50 * MEGABYTE, FLOODS["texts"][1]())
            raise AssertionError("it reads on and on")
        stuck.set()
        stay(sock)

    with Hostile(act) as server, ChatClient.connect(*server.address, "ann") as ann:
        assert stuck.wait(SECONDS)
        # It reads on once somebody looks.
        first = ann.receive()
        assert sum(len(event.text) for event in first if isinstance(event, Msg)) < 2 * MAX_BYTES
        assert ann.receive()


def test_reading_goes_on_while_an_answer_is_waited_for_but_not_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chatctl.client.inbox.MAX_MEANWHILE", 8 * MEGABYTE)

    def act(sock: socket.socket) -> None:
        sock.sendall(welcome())
        for size in (4, 50):
            nonce = json.loads(reads(sock, b"\n"))["nonce"]
            with suppress(OSError):
                flood(sock, size * MEGABYTE, FLOODS["texts"][1]())
                sock.sendall(line("ack", nonce=nonce, at=1, room="lobby", id=2**50))

    with Hostile(act) as server, ChatClient.connect(*server.address, "ann") as ann:
        assert ann.say("one").id == 2**50
        with pytest.raises(ConnectionFailed, match="more came than can be kept") as caught:
            ann.say("two")
        assert caught.value.code == "too-long"


def test_one_who_does_not_listen_keeps_no_events() -> None:
    def act(sock: socket.socket) -> None:
        sock.sendall(welcome() + ROOM)
        flood(sock, 20 * MEGABYTE, FLOODS["texts"][1]())
        first = json.loads(reads(sock, b"\n").splitlines()[0])["nonce"]
        sock.sendall(line("ack", nonce=first, at=1, room="lobby", id=2**50))
        second = json.loads(reads(sock, b"\n").splitlines()[0])["nonce"]
        sock.sendall(line("error", code="not-in-room", text="no", nonce=second))
        sock.sendall(line("bye", code="bye", text=""))

    with Hostile(act) as server, ChatClient.connect(*server.address, "ann", listen=False) as ann:
        ann.post("one")
        assert ann.wait_acked()
        refused = ann.post("two")
        with pytest.raises(Refused, match=r"^no$"):
            refused.result(SECONDS)
        assert ann.wait_acked()
        assert ann.unacked == {}
        assert ann.receive() == []


# A line without end, and nonsense


@pytest.mark.parametrize(
    ("nonsense", "why"),
    [
        (b"x" * MAX_SERVER_FRAME, "a frame has at most 1048576 bytes, the line end included"),
        (b"rubbish\n", "JSON is malformed: invalid character (byte 0)"),
        (b'{"t":"pong","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n", "nested more than 16 deep"),
        (
            line("members", names=["a"] * 180_000, count=1),
            "Expected `array` of length <= 5000 - at `$.names`",
        ),
        (
            line("msg", id=2**53, at=1, room="a", name="a", text="a"),
            "Expected `int` <= 9007199254740991 - at `$.id`",
        ),
    ],
)
def test_a_person_is_told_once_what_a_server_did(nonsense: bytes, why: str) -> None:
    def act(sock: socket.socket) -> None:
        with suppress(OSError):
            sock.sendall(welcome() + ROOM + nonsense)
            stay(sock)

    with Hostile(act) as server, joined(server, subprocess.DEVNULL, subprocess.PIPE) as client:
        assert client.wait(SECONDS) == 1
        assert client.stderr is not None
        (told,) = client.stderr.read().decode().splitlines()
    assert told.startswith(f"chatctl: the server sent what is not a frame: {why}")


def test_what_is_said_about_the_end_is_not_too_long_to_read() -> None:
    def act(sock: socket.socket) -> None:
        sock.sendall(welcome() + line("error", code="banned", text="\x1b" + "x" * 16_000, fatal=True))

    with Hostile(act) as server, ChatClient.connect(*server.address, "ann") as ann:
        with pytest.raises(ConnectionFailed) as caught:
            list(ann)
        assert str(caught.value).startswith("\\x1bxxx")
        assert len(str(caught.value)) < 500


def test_a_server_that_talks_and_never_says_welcome_is_given_up() -> None:
    def act(sock: socket.socket) -> None:
        with suppress(OSError):
            while True:
                sock.sendall(b'{"t":"later"}\n' * 5_000)

    with (
        Hostile(act) as server,
        pytest.raises(ConnectionFailed, match="does not answer as a chat server does"),
    ):
        ChatClient.connect(*server.address, "ann", timeout=0.3)


@pytest.mark.parametrize(
    "keys", [{"name": "a b"}, {"name": "\x1b[2J"}, {"name": ""}, {"name": "\ud800"}, {"session": "\ud800"}]
)
def test_a_welcome_that_nobody_could_come_back_with(keys: dict[str, str]) -> None:
    with (
        Hostile(lambda sock: sock.sendall(welcome(**keys))) as server,
        pytest.raises(ConnectionFailed, match="is not a chatctl server"),
    ):
        ChatClient.connect(*server.address, "ann")


@pytest.mark.parametrize("name", ["a b", "\x1b[2J", "", "\ud800"])
def test_a_name_that_is_none_is_not_taken(name: str) -> None:
    def act(sock: socket.socket) -> None:
        sock.sendall(
            welcome() + line("renamed", name="bob", to="\x1b[2J") + line("renamed", name="ann", to=name)
        )
        stay(sock)

    with Hostile(act) as server, ChatClient.connect(*server.address, "ann") as ann:
        with pytest.raises(ConnectionFailed, match="it gave you a name that is none") as caught:
            list(ann)
        assert (caught.value.code, ann.name) == ("bad-frame", "ann")


@pytest.mark.parametrize("t", ["msg", "told", "topic"])
def test_a_text_that_nobody_may_send_is_not_shown(t: str) -> None:
    def act(sock: socket.socket) -> None:
        sock.sendall(welcome() + line(t, id=1, at=1, room="lobby", name="bob", text="x" * 8_001))
        stay(sock)

    with (
        Hostile(act) as server,
        ChatClient.connect(*server.address, "ann") as ann,
        pytest.raises(ConnectionFailed, match="a text of 8001 characters"),
    ):
        list(ann)


def test_an_answer_to_something_else_is_none() -> None:
    messages = [{"id": 1, "at": 1, "room": "lobby", "name": "bob", "text": "x"}]

    def act(sock: socket.socket) -> None:
        sock.sendall(welcome())
        n = json.loads(reads(sock, b"\n"))["n"]
        sock.sendall(line("history", room="lobby", messages=[], more=False, re=n))
        sock.sendall(line("topic", room="lobby", text="", name="bob", at=1, re=n))
        sock.sendall(line("found", messages=messages, more=True, re=n))
        n = json.loads(reads(sock, b"\n"))["n"]
        sock.sendall(line("history", room="lobby", messages=[], more=True, re=n))
        stay(sock)

    with Hostile(act) as server, ChatClient.connect(*server.address, "ann") as ann:
        assert [found.text for found in ann.search("x").messages] == ["x"]
        with pytest.raises(Refused, match="does not tell what"):
            ann.history()


def test_acks_of_what_was_never_said_are_nothing() -> None:
    def act(sock: socket.socket) -> None:
        sock.sendall(welcome() + line("ack", nonce="x", at=1, room="lobby", id=7) + line("notice", text="x"))
        stay(sock)

    with Hostile(act) as server, ChatClient.connect(*server.address, "ann") as ann:
        assert until(ann, Notice) == [Notice("x")]


def test_ids_that_are_none_are_not_asked_for() -> None:
    seen = Seen({"lobby": None}, 50)
    seen.enter(RoomState(room="lobby", topic="", count=1, members=[], last=7))
    assert not seen.is_new(Msg(-5, 1, "lobby", "bob", "x"))
    assert not seen.is_new_gap(Gap("lobby", -9, -3))
    assert not seen.is_new(Ack(nonce="n", at=1, room="lobby", id=-1))
    assert seen.wanted() == {"lobby": None}
    assert seen.is_new(Msg(2**53 - 1, 1, "lobby", "bob", "x"))
    assert not seen.is_new(Msg(8, 1, "lobby", "bob", "x"))


@pytest.mark.parametrize("asked", [-5.0, -1e308, 1e308, float("inf")])
def test_a_server_cannot_send_a_client_away_for_ever(asked: float) -> None:
    wait = Retry(lambda: 0.0, lambda: 0.5).wait("shutting-down", asked)
    assert wait is not None
    assert 0 < wait < 2 * LONGEST_ASKED


def test_what_answers_in_place_of_a_server_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatctl.client.retry.SHORTEST", 0.01)

    def back(sock: socket.socket) -> None:
        sock.sendall(welcome())
        ping = json.loads(reads(sock, b"\n"))
        sock.sendall(line("pong", re=ping["n"]))
        stay(sock)

    acts = (
        lambda sock: sock.sendall(welcome()),
        lambda sock: sock.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n"),
        back,
    )
    with Hostile(*acts) as server, ChatClient.connect(*server.address, "ann") as ann:
        why = [event.text for event in until(ann, CaughtUp) if isinstance(event, Disconnected)]
        assert why == [
            "the server closed the connection",
            f"what listens at {server.where} is not a chatctl server",
        ]


# A server that does not move


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes clients in this process wait for answers for a moment only."""
    monkeypatch.setattr("chatctl.client.link.ANSWER_SECONDS", 0.2)
    monkeypatch.setattr("chatctl.client.link.LOOK_SECONDS", 0.05)
    monkeypatch.setattr("chatctl.client.retry.SHORTEST", 0.01)


@pytest.mark.usefixtures("_impatient")
def test_a_server_that_owes_an_answer_is_soon_asked_and_given_up() -> None:
    def act(sock: socket.socket) -> None:
        sock.sendall(welcome())
        sock.settimeout(0.5)
        with pytest.raises(TimeoutError):  # Nothing is owed, and nothing asked.
            sock.recv(1024)
        sock.settimeout(SECONDS)
        talk.set()
        assert reads(sock, b'"ping"').startswith(b'{"t":"say"')
        stay(sock)

    talk = threading.Event()
    with Hostile(act) as server, ChatClient.connect(*server.address, "ann", reconnect=False) as ann:
        assert talk.wait(SECONDS)
        ann.post("x")
        with pytest.raises(ConnectionFailed, match="nothing was heard from the server") as caught:
            list(ann)
        assert (caught.value.code, caught.value.refused) == ("timeout", False)


@pytest.mark.usefixtures("_impatient")
def test_a_server_that_owes_an_answer_and_says_anything_is_waited_for() -> None:
    def act(sock: socket.socket) -> None:
        sock.sendall(welcome())
        ping = json.loads(reads(sock, b'"ping"').splitlines()[-1])
        said = time.monotonic()
        while time.monotonic() - said < 1:
            sock.sendall(line("pong", re=ping["n"]))
            ping = json.loads(reads(sock, b'"ping"').splitlines()[-1])
        sock.sendall(line("bye", code="bye", text=""))

    with Hostile(act) as server, ChatClient.connect(*server.address, "ann", reconnect=False) as ann:
        ann.post("x")
        assert list(ann) == []


@pytest.mark.usefixtures("_impatient")
def test_a_server_that_is_frozen_is_noticed_and_gets_it_once_when_it_thaws() -> None:
    with running_server("--rate", "0") as server, ChatClient.connect(server.host, server.port, "ann") as ann:
        ann.say("before")
        server.proc.send_signal(signal.SIGSTOP)
        try:
            answer = ann.post("meanwhile")
            assert any(isinstance(event, Disconnected) for event in until(ann, Disconnected))
        finally:
            server.proc.send_signal(signal.SIGCONT)
        assert answer.result(SECONDS).id == 2
        assert [message.text for message in ann.history().messages] == ["before", "meanwhile"]


def test_one_who_says_something_never_waits_for_a_server_that_does_not_read() -> None:
    reading = threading.Event()
    got: list[bytes] = []

    def act(sock: socket.socket) -> None:
        sock.sendall(welcome())
        # The pongs fill the line.
        flood(sock, 8 * MEGABYTE, repeat(PING * 5_000))
        flooded.set()
        reading.wait(SECONDS)
        got.append(reads(sock, b"number 19"))
        sock.sendall(line("bye", code="bye", text=""))
        stay(sock)

    flooded = threading.Event()
    with (
        Hostile(act, narrow=True) as server,
        ChatClient.connect(*server.address, "ann", reconnect=False) as ann,
    ):
        assert flooded.wait(SECONDS)
        wait_for(lambda: ann._link.is_stuck, "a line that takes no more")

        def talk() -> None:
            for number in range(20):
                ann.post(f"number {number} ".ljust(2_500, "x"))

        talking = threading.Thread(target=talk, daemon=True)
        talking.start()
        talking.join(SECONDS)
        assert not talking.is_alive()
        reading.set()
        list(ann)
        said = [json.loads(frame) for frame in got[0].splitlines()[:-1]]
        texts = [frame["text"].split()[1] for frame in said if frame["t"] == "say"]
        assert texts == [str(number) for number in range(len(texts))]
        assert {frame["t"] for frame in said} == {"pong", "say"}
        assert len(said) < 6 * MEGABYTE / len(PING), "not all those pings were answered"


def test_where_there_is_no_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("select.poll")
    with running_server("--rate", "0") as server, ChatClient.connect(server.host, server.port, "ann") as ann:
        assert [ann.say(text).id for text in ("one", "two")] == [1, 2]
        ann.leave()
        assert [event.id for event in ann if isinstance(event, Ack)] == [1, 2]
