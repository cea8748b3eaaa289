"""What a client is sent through TLS: in order, bounded, whole up to the farewell, whoever puts it."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from chatctl.server import certificate, outbox
from chatctl.server.outbox import Drainer
from chatctl.tls import Channel
from tests.helpers import SECONDS, trusting, wait_for
from tests.sealed import update_keys
from tests.test_outbox import FAREWELL, LIMIT, Background, Line, frame

ANSWERS = outbox._ANSWERS + outbox._SEALED


@pytest.fixture(scope="module")
def context() -> ssl.SSLContext:
    return certificate.context_of(certificate.fresh("127.0.0.1"))


class SealedLine(Line):
    """An outbox with TLS at one end of a connection, and the client at the other."""

    def __init__(self, drainer: Drainer, context: ssl.SSLContext, limit: int) -> None:
        super().__init__(drainer, limit)
        self.server = Channel(context)
        self.outbox.secure(self.server)
        self.channel = Channel(trusting(), "localhost")

    def shake_hands(self) -> None:
        self.client.sendall(self.channel.start())
        while not (self.server.ready and self.channel.ready):
            self.open()
            if not self.channel.ready:
                self.channel.feed(self.client.recv(1 << 16))
                self.client.sendall(self.channel.pending())

    def open(self) -> bytes:
        """Returns what the server is told by what came last."""
        return self.outbox.open(self.ours.recv(1 << 16))

    def read(self, size: int) -> bytes:
        """Returns the next `size` bytes the client is told."""
        data = bytearray()
        while len(data) < size:
            piece = self.client.recv(1 << 16)
            assert piece, f"the stream ended after {len(data)} of {size} bytes"
            data += self.channel.feed(piece)
        assert len(data) == size
        return bytes(data)

    def read_all(self) -> bytes:
        """Returns all the client is still told, once nobody sends any more."""
        self.ours.shutdown(socket.SHUT_WR)
        data = bytearray()
        while piece := self.client.recv(1 << 16):
            data += self.channel.feed(piece)
        return bytes(data)


@pytest.fixture
def drainer() -> Iterator[Drainer]:
    drainer = Drainer()
    drainer.start()
    yield drainer
    drainer.stop()


@pytest.fixture
def connect(drainer: Drainer, context: ssl.SSLContext) -> Iterator[Callable[..., SealedLine]]:
    """Makes lines, and closes them after the test."""
    lines: list[SealedLine] = []

    def make(limit: int = LIMIT) -> SealedLine:
        lines.append(SealedLine(drainer, context, limit))
        return lines[-1]

    yield make
    for line in lines:
        line.close()


@pytest.fixture
def line(connect: Callable[..., SealedLine]) -> SealedLine:
    line = connect()
    line.shake_hands()
    return line


def test_what_is_put_is_sent_and_what_comes_is_opened(line: SealedLine) -> None:
    line.outbox.put(b"one\n")
    line.outbox.put(b"two\n")
    assert line.read(8) == b"one\ntwo\n"
    line.client.sendall(line.channel.seal(b"three\n"))
    assert line.open() == b"three\n"


def test_a_large_frame_and_what_waits_behind_it(line: SealedLine) -> None:
    head = line.stall()
    rest = [frame(f"{number}", 1000) for number in range(60)]
    for data in rest:
        line.outbox.put(data)
    assert line.read(len(head) + 60_000) == head + b"".join(rest)
    assert line.outbox.wait_empty(SECONDS)
    assert line.overflows == 0


def test_only_what_is_being_sent_is_sealed(line: SealedLine) -> None:
    head = line.stall()
    line.outbox.put(b"x" * LIMIT)
    queue = line.outbox._queue
    assert queue is not None
    assert len(head) - len(queue[0]) <= len(line.outbox._sealed) + 300_000
    assert queue[1] == b"x" * LIMIT


def test_a_client_that_is_cut_off_gets_whole_frames_the_farewell_and_the_end(line: SealedLine) -> None:
    frames: list[bytes] = []
    while not line.overflows:
        frames.append(frame(f"{len(frames)}", 7_001))
        line.outbox.put(frames[-1])
    line.outbox.put(b"too late\n")
    finishing = Background(lambda: line.outbox.finish(b"", SECONDS))
    whole = b""
    while not line.channel.ended:
        whole += line.channel.feed(line.client.recv(1 << 16))
    finishing.join()
    *got, last = whole.splitlines(keepends=True)
    assert last == FAREWELL
    assert got == frames[: len(got)]
    assert got


def test_the_farewell_is_followed_by_the_end_and_nothing_else(line: SealedLine) -> None:
    line.outbox.put(b"one\n")
    line.outbox.finish(FAREWELL, SECONDS)
    line.outbox.put(b"too late\n")
    line.outbox.finish(b"again\n", SECONDS)
    assert line.read_all() == b"one\n" + FAREWELL
    assert line.channel.ended


def test_what_is_not_taken_in_time_has_no_end(line: SealedLine) -> None:
    head = line.stall()
    line.outbox.finish(FAREWELL, 0.05)
    got = line.read_all()
    assert got == head[: len(got)]
    assert len(got) < len(head)
    assert not line.channel.ended


def test_before_the_handshake_nothing_is_said(connect: Callable[..., SealedLine]) -> None:
    line = connect()
    line.outbox.put(b"early\n")
    line.outbox.finish(FAREWELL, SECONDS)
    line.ours.shutdown(socket.SHUT_WR)
    assert line.client.recv(100) == b""


def test_a_handshake_that_is_none_gets_an_alert_and_nothing_else(connect: Callable[..., SealedLine]) -> None:
    line = connect()
    line.client.sendall(b"\x16\x03\x01\x00\x05hello")
    with pytest.raises(ssl.SSLError):
        line.open()
    line.outbox.put(b"x\n")
    line.outbox.finish(FAREWELL, SECONDS)
    line.ours.shutdown(socket.SHUT_WR)
    alert = line.client.recv(1 << 16)
    assert alert[:2] == b"\x15\x03"
    assert len(alert) == 7
    assert line.client.recv(100) == b""


def test_a_broken_record_gets_an_alert_behind_what_is_sealed(line: SealedLine) -> None:
    head = line.stall()
    line.outbox.put(b"x" * LIMIT)
    line.client.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
    with pytest.raises(ssl.SSLError):
        line.open()
    finishing = Background(lambda: line.outbox.finish(FAREWELL, SECONDS))
    got = b""
    with pytest.raises(ssl.SSLError, match="BAD_RECORD_MAC"):
        while piece := line.client.recv(1 << 16):
            got += line.channel.feed(piece)
    finishing.join()
    assert got == head[: len(got)]


def test_answers_leave_in_their_place(line: SealedLine) -> None:
    head = line.stall()
    update_keys(line.channel)
    line.client.sendall(line.channel.seal(b"with new keys\n"))
    assert line.open() == b"with new keys\n"
    line.outbox.put(b"also with new ones\n")
    assert line.read(len(head) + 19) == head + b"also with new ones\n"


def test_a_client_that_asks_and_never_reads_is_given_up(line: SealedLine) -> None:
    line.stall()
    asked = 0
    while not line.outbox._closed:
        update_keys(line.channel)
        line.client.sendall(line.channel.seal(b"x"))
        assert line.open() == b"x"
        assert len(line.outbox._sealed) <= ANSWERS
        asked += 1
    assert asked > 100
    assert line.ours.recv(10) == b""
    assert line.overflows == 0


def test_who_cannot_be_sealed_for_troubles_nobody(line: SealedLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def seal(_: object, data: bytes) -> bytes:
        raise ssl.SSLWantReadError

    monkeypatch.setattr(Channel, "seal", seal)
    line.outbox.put(b"x\n")
    assert line.outbox.wait_empty(0) is False
    assert line.ours.recv(10) == b""


def test_the_end_of_what_the_client_says(line: SealedLine) -> None:
    ended = [line.outbox.ended]
    line.client.sendall(line.channel.seal(b"last\n") + line.channel.close())
    assert line.open() == b"last\n"
    ended.append(line.outbox.ended)
    assert ended == [False, True]
    line.outbox.put(b"still heard\n")
    line.outbox.finish(FAREWELL, SECONDS)


@pytest.mark.parametrize("seconds", [2, pytest.param(60, marks=[pytest.mark.long, pytest.mark.timeout(300)])])
def test_many_that_put_while_one_reads(connect: Callable[..., SealedLine], seconds: int) -> None:
    line = connect(limit=1 << 30)
    line.shake_hands()
    over = threading.Event()
    counts = [0] * 4

    def put(writer: int) -> None:
        while not over.is_set():
            line.outbox.put(frame(f"{writer} {counts[writer]} ", 20 + 997 * (counts[writer] % 97)))
            counts[writer] += 1
            while line.outbox._behind > 1 << 20 and not over.wait(0.001):
                pass  # The client is to keep up: the limit is not what is tried here.

    def open_all() -> int:
        opened = 0
        while data := line.ours.recv(1 << 14):
            said = line.outbox.open(data)
            assert said == bytes(1000 * (len(said) // 1000))
            opened += len(said)
        return opened

    opened: list[int] = []
    reader = Background(lambda: opened.append(open_all()))
    writers = [Background(partial(put, writer)) for writer in range(4)]
    told = bytearray()
    seen = [0] * 4
    sent = updates = 0
    end = time.monotonic() + seconds
    while sum(seen) < sum(counts) or not over.is_set():
        told += line.channel.feed(line.client.recv(1 << 15))
        line.client.sendall(line.channel.pending())
        *frames, rest = bytes(told).split(b"\n")
        told[:] = rest
        for got in frames:
            writer, number = map(int, got.split()[:2])
            assert (number, len(got) + 1) == (seen[writer], 20 + 997 * (number % 97))
            seen[writer] += 1
        if not over.is_set():
            update_keys(line.channel)
            updates += 1
            line.client.sendall(line.channel.seal(bytes(1000)))
            sent += 1000
        if not over.is_set() and time.monotonic() > end:
            over.set()
            for each in writers:
                each.join()
    line.client.shutdown(socket.SHUT_WR)
    reader.join()
    assert line.overflows == 0
    assert seen == counts
    assert opened == [sent]
    assert updates > 30
    assert min(counts) > 30


def test_the_drainer_rests_when_all_is_sent(line: SealedLine, drainer: Drainer) -> None:
    head = line.stall()
    assert line.read(len(head)) == head
    wait_for(lambda: len(drainer._selector.get_map()) == 1, "only its own wake-up is watched")
