"""What a client is sent: in order, without waiting, bounded, and nothing after the farewell."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatctl.server.outbox import Drainer, Outbox
from tests.helpers import SECONDS, wait_for

LIMIT = 64 * 1024
MUCH = 1 << 20  # bytes, more than a socket takes at once
FAREWELL = b"farewell\n"


class Line:
    """An outbox at one end of a connection, and the client at the other."""

    def __init__(self, drainer: Drainer, limit: int) -> None:
        self.ours, self.client = socket.socketpair()
        self.ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * 1024)
        self.client.settimeout(SECONDS)
        self.overflows = 0
        self.outbox = Outbox(self.ours, drainer, limit, self._overflowed)

    def _overflowed(self) -> bytes:
        self.overflows += 1
        return FAREWELL

    def read(self, size: int) -> bytes:
        """Returns the next `size` bytes the client gets."""
        data = b""
        while len(data) < size:
            piece = self.client.recv(size - len(data))
            assert piece, f"the stream ended after {len(data)} of {size} bytes"
            data += piece
        return data

    def read_all(self) -> bytes:
        """Returns all the client still gets, once nobody sends any more."""
        self.ours.shutdown(socket.SHUT_WR)
        data = b""
        while piece := self.client.recv(1 << 16):
            data += piece
        return data

    def stall(self, size: int = MUCH) -> bytes:
        """Puts more than the socket takes; returns it."""
        head = frame("head", size)
        self.outbox.put(head)
        assert not self.outbox.wait_empty(0)
        return head

    def close(self) -> None:
        self.outbox.abandon()
        self.outbox.finish(b"", 0)
        self.ours.close()
        self.client.close()


def frame(word: str, size: int) -> bytes:
    """Returns one line of `size` bytes."""
    return word.encode().ljust(size - 1, b".") + b"\n"


@pytest.fixture
def drainer() -> Iterator[Drainer]:
    drainer = Drainer()
    drainer.start()
    yield drainer
    drainer.stop()
    assert not drainer._thread.is_alive()


@pytest.fixture
def connect(drainer: Drainer) -> Iterator[Callable[..., Line]]:
    """Makes lines, and closes them after the test."""
    lines: list[Line] = []

    def make(limit: int = LIMIT) -> Line:
        lines.append(Line(drainer, limit))
        return lines[-1]

    yield make
    for line in lines:
        line.close()


@pytest.fixture
def line(connect: Callable[..., Line]) -> Line:
    return connect()


class Background:
    """A call on a thread of its own, which must end; the error it ends with is raised in `join`."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._result: Future[object] = Future()
        self._call = call
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            self._result.set_result(self._call())
        except Exception as failure:  # noqa: BLE001 - raised again in join()
            self._result.set_exception(failure)

    def join(self) -> None:
        self._result.result(SECONDS)


# In order, without waiting


def test_what_is_put_is_sent(line: Line) -> None:
    line.outbox.put(b"one\n")
    line.outbox.put(b"two\n")
    assert line.read(8) == b"one\ntwo\n"
    assert line.outbox.wait_empty(SECONDS)


def test_put_does_not_wait_for_a_client_that_does_not_read(line: Line) -> None:
    head = line.stall()
    rest = [frame(f"{number}", 1000) for number in range(60)]
    for data in rest:
        line.outbox.put(data)
    assert line.read(len(head) + 60_000) == head + b"".join(rest)
    assert line.overflows == 0


def test_the_limit_does_not_hold_for_a_single_frame(connect: Callable[..., Line]) -> None:
    line = connect(limit=10)
    for word in ("one", "two"):
        data = frame(word, MUCH)
        line.outbox.put(data)
        assert line.read(len(data)) == data
        assert line.outbox.wait_empty(SECONDS)
    assert line.overflows == 0


def test_threads_that_put_at_once_do_not_mix(connect: Callable[..., Line]) -> None:
    line = connect(limit=1 << 30)
    together = threading.Barrier(4)

    def put(writer: int) -> None:
        together.wait(SECONDS)
        for number in range(400):
            line.outbox.put(frame(f"{writer} {number} ", 20 + 997 * (number % 7)))

    writers = [Background(partial(put, writer)) for writer in range(4)]
    size = 4 * sum(20 + 997 * (number % 7) for number in range(400))
    frames = line.read(size).splitlines()
    for writer in writers:
        writer.join()
    assert len(frames) == 1600
    seen = [0] * 4
    for got in frames:
        writer_, number = map(int, got.split()[:2])
        assert number == seen[writer_]
        assert len(got) + 1 == 20 + 997 * (number % 7)
        seen[writer_] += 1


@settings(deadline=None, database=None, max_examples=30)
@given(
    st.lists(st.one_of(st.binary(max_size=50), st.integers(0, 300_000).map(bytes)), max_size=12),
    st.booleans(),
)
def test_nothing_is_lost_or_swapped(puts: list[bytes], reading: bool) -> None:
    drainer = Drainer()
    drainer.start()
    line = Line(drainer, limit=1 << 30)
    try:
        got: list[bytes] = []
        everything = b"".join(puts)
        reader = Background(lambda: got.append(line.read(len(everything)))) if reading else None
        for data in puts:
            line.outbox.put(data)
        if reader is None:
            got.append(line.read(len(everything)))
        else:
            reader.join()
        assert got == [everything]
        assert line.outbox.wait_empty(SECONDS)
    finally:
        line.close()
        drainer.stop()


def test_one_that_does_not_read_does_not_hold_up_another(connect: Callable[..., Line]) -> None:
    slow, quick = connect(), connect()
    slow.stall()
    head = quick.stall()
    assert quick.read(len(head)) == head
    quick.outbox.put(b"more\n")
    assert quick.read(5) == b"more\n"


# The limit


@pytest.mark.parametrize("parts", [[LIMIT], [LIMIT - 1, 1], [1] * 100 + [LIMIT - 100]])
def test_up_to_the_limit_may_wait_and_one_byte_more_cuts_off(line: Line, parts: list[int]) -> None:
    head = line.stall()
    for size in parts:
        line.outbox.put(b"x" * size)
        assert line.overflows == 0
    line.outbox.put(b"y")
    assert line.overflows == 1
    assert line.read(len(head) + len(FAREWELL)) == head + FAREWELL


def test_the_limit_is_free_again_once_the_client_has_read(line: Line) -> None:
    for word in ("one", "two", "three"):
        head = line.stall()
        waiting = frame(word, LIMIT)
        line.outbox.put(waiting)
        assert line.read(len(head) + LIMIT) == head + waiting
        assert line.outbox.wait_empty(SECONDS)
    assert line.overflows == 0


def test_what_has_left_the_queue_no_longer_counts(line: Line) -> None:
    head = line.stall()
    line.outbox.put(frame("one", LIMIT // 2))
    line.outbox.put(frame("two", LIMIT // 2))
    line.read(len(head) + 1)  # so that the first of them is being sent
    wait_for(lambda: line.outbox._behind <= LIMIT // 2, "the drainer goes on")
    line.outbox.put(frame("three", LIMIT // 2))
    assert line.overflows == 0


def test_a_client_that_is_cut_off_gets_whole_frames_and_the_farewell(line: Line) -> None:
    frames: list[bytes] = []
    while not line.overflows:
        frames.append(frame(f"{len(frames)}", 7_001))
        line.outbox.put(frames[-1])
    for _ in range(20):
        line.outbox.put(b"too late\n")
    assert line.overflows == 1
    got = line.client.recv(1)
    reader = Background(lambda: line.outbox.wait_empty(SECONDS))
    whole = got
    while not whole.endswith(FAREWELL):
        whole += line.client.recv(1 << 16)
    reader.join()
    assert line.read_all() == b""
    lines = whole.splitlines(keepends=True)
    assert lines.pop() == FAREWELL
    assert lines == frames[: len(lines)]
    assert lines


def test_being_cut_off_wakes_the_thread_that_reads(line: Line) -> None:
    received: list[bytes] = []
    reader = Background(lambda: received.append(line.ours.recv(10)))
    line.stall()
    line.outbox.put(b"x" * LIMIT)
    line.outbox.put(b"x")
    reader.join()
    assert received == [b""]
    assert line.outbox.wait_empty(0) is False


def test_what_is_larger_than_the_limit_waits_alone_behind_what_is_being_sent(line: Line) -> None:
    head = line.stall()
    line.outbox.put(b"y" * (10 * LIMIT))
    assert line.read(len(head) + 10 * LIMIT) == head + b"y" * (10 * LIMIT)


# The farewell


def test_the_farewell_is_the_last_thing(line: Line) -> None:
    line.outbox.put(b"one\n")
    line.outbox.finish(FAREWELL, SECONDS)
    line.outbox.put(b"too late\n")
    line.outbox.finish(b"again\n", SECONDS)
    assert line.read_all() == b"one\n" + FAREWELL


def test_what_is_held_back_comes_behind_what_it_is_released_with(line: Line) -> None:
    line.outbox.hold()
    line.outbox.put(b"told\n")
    line.outbox.put(b"told again\n")
    line.outbox.release(b"welcome\n")
    line.outbox.put(b"said\n")
    assert line.read_all() == b"welcome\ntold\ntold again\nsaid\n"


@pytest.mark.parametrize(
    "end", [lambda outbox: outbox.release(b""), lambda outbox: outbox.finish(b"", SECONDS)]
)
def test_what_is_held_back_for_whom_nothing_comes_first_is_not_sent(
    line: Line, end: Callable[[Outbox], None]
) -> None:
    line.outbox.hold()
    line.outbox.put(b"told\n")
    end(line.outbox)
    assert line.read_all() == b""


def test_finish_waits_until_all_has_left(line: Line) -> None:
    head = line.stall()
    ending = Background(lambda: line.outbox.finish(FAREWELL, SECONDS))
    assert line.read(len(head) + len(FAREWELL)) == head + FAREWELL
    ending.join()
    assert line.read_all() == b""


def test_finish_without_a_farewell(line: Line) -> None:
    line.outbox.put(b"one\n")
    line.outbox.finish(b"", SECONDS)
    line.outbox.put(b"too late\n")
    assert line.read_all() == b"one\n"


def test_finish_does_not_wait_for_ever(line: Line) -> None:
    head = line.stall()
    begun = time.monotonic()
    line.outbox.finish(FAREWELL, 0.05)
    assert 0.05 <= time.monotonic() - begun < SECONDS
    got = line.read_all()  # nobody sends any more, although the client reads now
    assert got == head[: len(got)]
    assert len(got) < len(head)


def test_nothing_leaves_after_the_farewell_whoever_is_putting(connect: Callable[..., Line]) -> None:
    line = connect(limit=1 << 30)
    stop = threading.Event()

    def put() -> None:
        while not stop.is_set():
            line.outbox.put(frame("x", 3_000))
            if line.outbox._behind > 1 << 18:
                stop.wait(0.001)  # for the client, so that the end comes soon

    writers = [Background(put) for _ in range(3)]
    line.read(99_000)
    finishing = Background(lambda: line.outbox.finish(FAREWELL, SECONDS))
    got = bytearray()
    while not got.endswith(FAREWELL):
        piece = line.client.recv(1 << 16)
        assert piece
        got += piece
    finishing.join()
    for _ in range(5):  # the others are putting all the while
        line.outbox.put(frame("x", 3_000))
    stop.set()
    for writer in writers:
        writer.join()
    assert line.read_all() == b""
    *frames, last = bytes(got).splitlines(keepends=True)
    assert last == FAREWELL
    assert set(frames) <= {frame("x", 3_000)}


# Broken and abandoned


def test_abandon_ends_the_connection_and_whoever_waits(line: Line) -> None:
    line.stall()
    ending = Background(lambda: line.outbox.finish(FAREWELL, 10 * SECONDS))
    wait_for(lambda: line.outbox._changed, "somebody waits")
    line.outbox.abandon()
    ending.join()
    with suppress(ConnectionError):
        while line.client.recv(1 << 16):
            pass
    line.outbox.put(b"too late\n")
    line.outbox.abandon()


def test_who_waits_is_told_that_the_connection_was_abandoned(line: Line) -> None:
    line.stall()
    answers: list[bool] = []
    waiting = Background(lambda: answers.append(line.outbox.wait_empty(10 * SECONDS)))
    wait_for(lambda: line.outbox._changed, "somebody waits")
    line.outbox.abandon()
    waiting.join()
    assert answers == [False]


@pytest.mark.parametrize("stalled", [False, True])
def test_a_client_that_is_gone_troubles_nobody(line: Line, stalled: bool) -> None:
    if stalled:
        line.stall()
    line.client.close()

    def noticed() -> bool:
        line.outbox.put(b"x\n")
        return line.outbox._closed

    wait_for(noticed, "that nobody is there")
    assert line.overflows == 0
    assert line.outbox.wait_empty(SECONDS) is False
    with suppress(ConnectionError):  # the thread that reads is woken too, with an error or without
        assert line.ours.recv(10) == b""
    line.outbox.finish(FAREWELL, SECONDS)


@pytest.mark.parametrize(("reads", "emptied"), [(True, True), (False, False)])
def test_wait_empty(line: Line, reads: bool, emptied: bool) -> None:
    assert line.outbox.wait_empty(0)
    head = line.stall()
    reader = Background(lambda: line.read(len(head)) if reads else None)
    assert line.outbox.wait_empty(SECONDS if reads else 0.02) is emptied
    reader.join()


def test_who_waits_is_told_that_the_client_was_cut_off(line: Line) -> None:
    line.stall()
    answers: list[bool] = []
    waiting = Background(lambda: answers.append(line.outbox.wait_empty(10 * SECONDS)))
    wait_for(lambda: line.outbox._changed, "somebody waits")
    while not line.overflows:
        line.outbox.put(b"x" * 1_000)
    waiting.join()
    assert answers == [False]


def test_nobody_begins_to_wait_any_more(line: Line) -> None:
    line.stall()
    line.outbox.stop_waiting()
    assert line.outbox.wait_empty(10 * SECONDS) is False


def test_the_farewell_is_waited_for_although_nobody_should_wait(line: Line) -> None:
    head = line.stall()
    line.outbox.stop_waiting()
    ending = Background(lambda: line.outbox.finish(FAREWELL, 10 * SECONDS))
    line.outbox.stop_waiting()
    assert line.read(len(head) + len(FAREWELL)).endswith(FAREWELL)
    ending.join()


# The drainer


def _is_watched(drainer: Drainer, descriptor: int) -> bool:
    return descriptor in drainer._selector.get_map()


def test_what_is_finished_is_forgotten(drainer: Drainer) -> None:
    descriptors = set()
    for _ in range(20):  # the kernel gives the same descriptors again
        line = Line(drainer, LIMIT)
        descriptors.add(line.ours.fileno())
        head = line.stall(300_000)
        watched = line.ours.fileno()
        wait_for(partial(_is_watched, drainer, watched), "watched")
        assert line.read(len(head)) == head
        line.outbox.put(b"x" * 300_000)
        line.outbox.finish(b"", 0)
        assert not _is_watched(drainer, watched)
        line.close()
    assert len(descriptors) < 20


def test_the_drainer_rests_when_there_is_nothing_to_send(line: Line, drainer: Drainer) -> None:
    head = line.stall()
    assert line.read(len(head)) == head
    wait_for(lambda: len(drainer._selector.get_map()) == 1, "only its own wake-up is watched")


def test_many_wake_ups_at_once(connect: Callable[..., Line]) -> None:
    lines = [connect() for _ in range(50)]
    heads = [line.stall(200_000) for line in lines]
    for line, head in zip(reversed(lines), reversed(heads), strict=True):
        assert line.read(len(head)) == head
