"""The log of rooms in memory: its numbers, its bounds, and what it drops."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatctl.history.log import Post
from chatctl.history.memory import MAX_BYTES, MAX_MESSAGES, MAX_ROOM_BYTES, MemoryLog
from chatctl.messages import Kind, Msg
from chatctl.text import MAX_TEXT

LONG = "x" * MAX_TEXT  # one object, however often it is posted: the log counts it each time


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000_000.5

    def __call__(self) -> float:
        return self.now


def post(text: str = "hi", nonce: str | None = None, name: str = "Ann", kind: Kind = "text") -> Post:
    return Post(name, name.lower(), text, kind, nonce)


def ids(messages: list[Msg]) -> list[int]:
    return [message.id for message in messages]


def fill(log: MemoryLog, room: str) -> int:
    """Posts to `room` until it begins to drop; returns how many messages it keeps."""
    while log.bounds(room)[0] == 1:
        log.append(room, [post(LONG)] * 50)
    oldest, newest = log.bounds(room)
    return newest - oldest + 1


# Numbers and content


def test_messages_are_numbered_from_1_in_each_room() -> None:
    log = MemoryLog()
    assert ids(log.append("a", [post(), post()])) == [1, 2]
    assert ids(log.append("b", [post()])) == [1]
    assert ids(log.append("a", [post()])) == [3]
    assert log.append("a", []) == []
    assert log.bounds("a") == (1, 3)
    assert log.bounds("b") == (1, 1)


def test_a_message_is_what_was_posted() -> None:
    clock = Clock()
    log = MemoryLog(clock=clock)
    expected = [
        Msg(1, 1_000_000_500, "a", "Ann", "x\ny", "text", None),
        Msg(2, 1_000_000_500, "a", "Bob", "waves", "action", "n"),
    ]
    assert log.append("a", [post("x\ny"), post("waves", "n", "Bob", "action")]) == expected
    clock.now += 1.25
    (later,) = log.append("a", [post()])
    assert later.at == 1_000_001_750
    assert log.read("a", 0, 10) == [*expected, later]


def test_a_room_where_nothing_was_said() -> None:
    log = MemoryLog()
    assert log.bounds("a") == (1, 0)
    assert log.read("a", 0, 10) == []
    log.append("b", [post()])
    assert log.bounds("a") == (1, 0)


@pytest.fixture
def restless() -> Iterator[None]:
    """Makes threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("restless")
def test_threads_that_append_at_once_get_numbers_of_their_own() -> None:
    log = MemoryLog()
    given_ids: list[list[int]] = [[] for _ in range(4)]

    def run(mine: list[int]) -> None:
        for _ in range(300):
            mine += ids(log.append("a", [post(), post()]))

    threads = [threading.Thread(target=run, args=(mine,)) for mine in given_ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(mine == sorted(mine) for mine in given_ids)
    assert sorted(chain.from_iterable(given_ids)) == list(range(1, 2401))
    assert ids(log.read("a", 0, 5000)) == list(range(1, 2401))


# Reading


@pytest.mark.parametrize(
    ("after", "limit", "expected"),
    [
        (0, 3, [1, 2, 3]),
        (0, 100, list(range(1, 11))),
        (3, 3, [4, 5, 6]),
        (9, 3, [10]),
        (10, 3, []),
        (11, 3, []),
        (2**53 - 1, 3, []),
        (5, 0, []),
        (5, 1, [6]),
    ],
)
def test_read(after: int, limit: int, expected: list[int]) -> None:
    log = MemoryLog()
    log.append("a", [post(str(number)) for number in range(1, 11)])
    messages = log.read("a", after, limit)
    assert ids(messages) == expected
    assert [message.text for message in messages] == list(map(str, expected))


@settings(deadline=None, database=None, max_examples=50)
@given(st.lists(st.integers(0, 9), max_size=12), st.integers(1, 7))
def test_pages_join_without_a_seam(batches: list[int], limit: int) -> None:
    log = MemoryLog()
    everything = [message for size in batches for message in log.append("a", [post() for _ in range(size)])]
    pages: list[Msg] = []
    while page := log.read("a", pages[-1].id if pages else 0, limit):
        assert len(page) <= limit
        pages += page
    assert pages == everything
    assert ids(pages) == list(range(1, sum(batches) + 1))


# Repeats


@pytest.mark.parametrize(("seconds", "again"), [(0, 1), (599, 1), (600, 1), (600.5, 2), (100_000, 2)])
def test_a_repeat_within_ten_minutes_is_not_added(seconds: float, again: int) -> None:
    clock = Clock()
    log = MemoryLog(clock=clock)
    (first,) = log.append("a", [post("one", "n")])
    clock.now += seconds
    (second,) = log.append("a", [post("one", "n")])
    assert second.id == again
    assert (second.at == first.at) is (again == 1)
    assert log.bounds("a") == (1, again)


def test_a_repeat_in_the_same_batch() -> None:
    log = MemoryLog()
    assert ids(log.append("a", [post("1", "n"), post("2"), post("1", "n"), post("3", "m")])) == [1, 2, 1, 3]
    assert [message.text for message in log.read("a", 0, 10)] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("room", "repeat"),
    [
        ("a", post("one", "m")),
        ("a", post("one", "n", name="Bob")),
        ("b", post("one", "n")),
        ("a", post("one")),
    ],
)
def test_what_is_no_repeat(room: str, repeat: Post) -> None:
    log = MemoryLog()
    log.append("a", [post("one", "n")])
    log.append("b", [post("zero")])
    (message,) = log.append(room, [repeat])
    assert message.id == 2


def test_a_repeat_in_another_spelling_of_the_name() -> None:
    log = MemoryLog()
    assert ids(log.append("a", [post("one", "n", name="Ann"), post("one", "n", name="ANN")])) == [1, 1]


def test_a_repeat_of_what_is_no_longer_kept() -> None:
    log = MemoryLog()
    (first,) = log.append("a", [post("one", "n")])
    log.append("a", [post()] * (MAX_MESSAGES + 1))
    (again,) = log.append("a", [post("one", "n")])
    assert (again.id, again.at) == (1, first.at)
    assert log.bounds("a")[1] == MAX_MESSAGES + 2


# What is dropped


def test_the_limits_are_those_of_the_protocol() -> None:
    assert (MAX_MESSAGES, MAX_ROOM_BYTES, MAX_BYTES) == (10_000, 16 << 20, 256 << 20)


@pytest.mark.parametrize("batch", [1, 7, 10_050])
def test_a_room_keeps_its_last_10_000_messages(batch: int) -> None:
    log = MemoryLog()
    said = 0
    while said < MAX_MESSAGES:
        said += len(log.append("a", [post()] * min(batch, MAX_MESSAGES - said)))
    assert log.bounds("a") == (1, MAX_MESSAGES)
    log.append("a", [post()] * 50)
    assert log.bounds("a") == (51, MAX_MESSAGES + 50)
    assert ids(log.read("a", 0, 3)) == [51, 52, 53]
    assert ids(log.read("a", 50, 1)) == [51]
    assert len(log.read("a", 0, 2 * MAX_MESSAGES)) == MAX_MESSAGES


@pytest.mark.parametrize("text", [LONG, "😀" + "x" * 7996, "é" * 4000, "😀" * 2000])
def test_a_room_keeps_at_most_16_mib(text: str) -> None:
    log = MemoryLog()
    for _ in range(90):
        log.append("a", [post(text)] * 50)
    kept = log.read("a", 0, MAX_MESSAGES)
    size = len(kept) * sys.getsizeof(text)
    assert MAX_ROOM_BYTES * 0.95 < size <= MAX_ROOM_BYTES
    assert kept[-1].id == 4500
    assert ids(kept) == list(range(4501 - len(kept), 4501))


def test_what_is_dropped_is_not_held_by_its_nonce() -> None:
    log = MemoryLog()
    text = "".join(["held", "?"])
    holders = sys.getrefcount(text)
    log.append("a", [post(text, "n")])
    assert sys.getrefcount(text) > holders
    log.append("a", [post()] * MAX_MESSAGES)
    assert sys.getrefcount(text) == holders


def test_all_rooms_together_keep_256_mib_and_the_longest_silent_gives_up_first() -> None:
    log = MemoryLog()
    rooms = [f"r{number}" for number in range(16)]
    full = {room: fill(log, room) for room in rooms}
    log.append("r0", [post()])  # not silent any more
    before = {room: log.bounds(room) for room in rooms}
    log.append("new", [post(LONG)] * 400)

    after = {room: log.bounds(room) for room in rooms}
    assert [room for room in rooms if after[room] != before[room]] == ["r1"]
    assert after["r1"][1] == before["r1"][1]  # the oldest went, the newest did not
    assert log.bounds("new") == (1, 400)
    dropped = after["r1"][0] - before["r1"][0]
    assert 300 < dropped <= 400
    assert ids(log.read("r1", 0, 1)) == [after["r1"][0]]

    log.append("new", [post(LONG)] * (full["r1"] - 400))
    log.append("newer", [post(LONG)] * 400)
    oldest, newest = log.bounds("r1")
    assert (oldest, newest) == (before["r1"][1] + 1, before["r1"][1])  # r1 has nothing left
    assert log.read("r1", 0, 10) == []
    assert log.bounds("r2")[0] > before["r2"][0]
    assert log.bounds("r3") == before["r3"]
    assert ids(log.append("r1", [post()])) == [newest + 1]


def test_forget() -> None:
    log = MemoryLog()
    log.append("a", [post("one", "n")])
    log.append("b", [post("two")])
    log.release("a")
    log.release("a")
    log.release("never")
    assert log.bounds("a") == (1, 0)
    assert log.read("a", 0, 10) == []
    assert log.bounds("b") == (1, 1)
    assert ids(log.append("a", [post("one", "n")])) == [1]


def test_what_is_forgotten_makes_room() -> None:
    log = MemoryLog()
    for number in range(15):
        fill(log, f"r{number}")
    log.release("r14")
    fill(log, "x")
    before = log.bounds("r0")
    fill(log, "y")
    assert log.bounds("r0") == before
    fill(log, "z")
    assert log.bounds("r0")[0] > before[0]
