"""The contract of a log, held to by the one in memory and the one on disk."""

from __future__ import annotations

import random
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatctl.errors import DataError, StorageError
from chatctl.history import journal, sqlite
from chatctl.history.database import APPLICATION_ID, FILE, MIGRATIONS, open_snapshot
from chatctl.history.directory import DirectoryLock
from chatctl.history.log import KEEP_ALL, REMEMBERED_SECONDS, Log, Post, Retention
from chatctl.history.memory import MemoryLog
from chatctl.history.rows import pack, unpack
from chatctl.history.sqlite import IDLE_SECONDS, SqliteLog
from chatctl.history.traces import Gap, find_gap
from chatctl.messages import Msg, Topic
from tests.helpers import SECONDS, wait_for

LONG = "x" * 7_000


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000_000.5

    def __call__(self) -> float:
        return self.now


Make = Callable[..., Log]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "disk"])
def make(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Make]:
    """Makes a log of either kind."""
    made: list[Log] = []

    def make(retention: Retention = KEEP_ALL) -> Log:
        memory = request.param == "memory"
        made.append(MemoryLog(retention, clock) if memory else SqliteLog(tmp_path, retention, clock))
        return made[-1]

    yield make
    for log in made:
        log.close()


@pytest.fixture
def log(make: Make) -> Log:
    return make()


def post(text: str = "x", nonce: str | None = None, name: str = "ann") -> Post:
    return Post(name, name.lower(), text, "text", nonce)


def fill(log: Log, count: int, room: str = "lobby") -> None:
    log.append(room, [post(f"text {number}") for number in range(1, count + 1)])


def ids(messages: list[Msg]) -> list[int]:
    return [message.id for message in messages]


def tidy(log: Log) -> None:
    while log.tidy() != IDLE_SECONDS:  # which it also exceeds, where a step took long
        pass


# Appending and reading


def test_messages_are_numbered_and_read_as_they_were_posted(log: Log, clock: Clock) -> None:
    odd = Post("Ann", "ann", 'é "quoted" \\ \n\t🙂 \u202e', "action", "n")
    messages = log.append("lobby", [post("one"), odd])
    assert messages == [
        Msg(1, 1_000_000_500, "lobby", "ann", "one"),
        Msg(2, 1_000_000_500, "lobby", "Ann", odd.text, "action", "n"),
    ]
    assert ids(log.append("dev", [post()])) == [1]
    assert log.read("lobby", 0, 10) == messages
    assert log.bounds("lobby") == (1, 2)
    assert log.rooms() == {"lobby": 2, "dev": 1}


@pytest.mark.parametrize(
    ("after", "limit", "expected"), [(0, 3, [1, 2, 3]), (7, 9, [8, 9, 10]), (10, 5, []), (99, 5, [])]
)
def test_reading_on(log: Log, after: int, limit: int, expected: list[int]) -> None:
    fill(log, 10)
    fill(log, 3, "dev")
    assert ids(log.read("lobby", after, limit)) == expected


@pytest.mark.parametrize(
    ("before", "limit", "expected"),
    [(11, 3, [8, 9, 10]), (2**53 - 1, 2, [9, 10]), (3, 9, [1, 2]), (1, 9, [])],
)
def test_reading_back(log: Log, before: int, limit: int, expected: list[int]) -> None:
    fill(log, 10)
    fill(log, 3, "dev")
    assert ids(log.read_back("lobby", before, limit)) == expected


def test_a_room_of_which_nothing_is_known(log: Log) -> None:
    assert log.bounds("attic") == (1, 0)
    assert log.read("attic", 0, 10) == log.read_back("attic", 9, 9) == log.search("x", ["attic"], 9) == []
    assert (log.since("attic", 0), log.topic("attic")) == (1, None)


def test_since(log: Log, clock: Clock) -> None:
    for _ in range(5):
        log.append("lobby", [post(), post()])
        clock.now += 10
    assert [log.since("lobby", at) for at in (0, 1_000_000_500, 1_000_000_501, 1_000_040_500, 10**15)] == [
        *(1, 1, 3, 9),
        11,
    ]


def test_topics(log: Log) -> None:
    for text in ("first", "", "last"):
        topic = Topic("lobby", text, "ann", 5)
        log.set_topic(topic)
        assert log.topic("lobby") == topic


def test_threads_get_ids_without_gaps(log: Log) -> None:
    got: dict[str, list[int]] = {"a": [], "b": []}

    def write(room: str) -> None:
        for _ in range(40):
            got[room] += ids(log.append(room, [post(), post()]))

    threads = [threading.Thread(target=write, args=(room,)) for room in "ab" * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    for room in "ab":
        assert sorted(got[room]) == list(range(1, 321))
        assert ids(log.read(room, 0, 1_000)) == list(range(1, 321))


# Nonces


@pytest.mark.parametrize("nonce", ["n", "", "a\0b", "a\\0b", "\\", "é🙂", '"'])
def test_a_repeat_is_the_first_one_again(log: Log, clock: Clock, nonce: str) -> None:
    first, other = log.append("lobby", [post("a", nonce), post("b", nonce + "x")])
    clock.now += 1
    again = log.append("lobby", [post("changed", nonce), post("c"), post("d", nonce)])
    assert ids(again) == [1, 3, 1]
    assert again[0].at == first.at
    assert log.read("lobby", 0, 9)[0].nonce == nonce
    assert other.id == 2


def test_a_repeat_within_one_batch(log: Log) -> None:
    assert ids(log.append("lobby", [post("a", "n"), post("a", "n"), post("b")])) == [1, 1, 2]


def test_nonces_are_each_authors_in_each_room(log: Log) -> None:
    log.append("lobby", [post("a", "n")])
    assert ids(log.append("lobby", [post("a", "n", "bob"), post("a", "n", "ANN")])) == [2, 1]
    assert ids(log.append("dev", [post("a", "n")])) == [1]


def test_a_nonce_is_honoured_for_ten_minutes(log: Log, clock: Clock) -> None:
    log.append("lobby", [post("a", "n")])
    clock.now += REMEMBERED_SECONDS - 1
    assert ids(log.append("lobby", [post("a", "n")])) == [1]
    clock.now += 2
    assert ids(log.append("lobby", [post("a", "n")])) == [2]


# Searching


def test_every_word_must_be_there(log: Log, clock: Clock) -> None:
    for room, text in [
        ("a", "Der Käse ist rot"),
        ("b", "roter Kase"),
        ("a", "rot, sagt sie; KÄSE!"),
        ("a", "rot"),
    ]:
        log.append(room, [post(text)])
        clock.now += 1
    found = log.search("käse ROT", ["a", "b", "c"], 9)
    assert [(message.room, message.id) for message in found] == [("a", 2), ("a", 1)]
    assert len(log.search("rot", ["a", "b"], 2)) == 2
    assert [message.room for message in log.search("kase", ["a", "b"], 9)] == ["a", "b", "a"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        '"',
        "***",
        "a AND",
        "NEAR(x",
        "x OR y",
        "text:x",
        "^x",
        "x*",
        "-x",
        "'",
        "x" * 8_000,
        "x " * 4_000,
        "🙂",
        "%_",
    ],
)
def test_no_search_is_an_error(log: Log, text: str) -> None:
    fill(log, 3)
    assert log.search(text, ["lobby"], 9) == []


def test_what_is_forgotten_is_not_found(make: Make) -> None:
    log = make(Retention(messages=2))
    log.append("lobby", [post(f"same {number}") for number in range(5)])
    assert log.search("same", ["lobby"], 9)
    tidy(log)
    assert ids(log.search("same", ["lobby"], 9)) == [5, 4]


# Forgetting


def test_only_so_many_are_kept(make: Make) -> None:
    log = make(Retention(messages=3))
    fill(log, 2_000)
    tidy(log)
    assert log.bounds("lobby") == (1_998, 2_000)
    assert ids(log.read("lobby", 0, 9)) == [1_998, 1_999, 2_000]


def test_what_is_too_old_is_forgotten_and_ids_go_on(make: Make, clock: Clock) -> None:
    log = make(Retention(seconds=60))
    log.append("lobby", [post("a", "n")] + [post()] * 1_500)
    clock.now += 59
    log.append("lobby", [post()])
    clock.now += 2
    tidy(log)
    assert log.bounds("lobby") == (1_502, 1_502)
    clock.now += 60
    tidy(log)
    assert log.bounds("lobby") == (1_503, 1_502)
    assert log.read("lobby", 0, 9) == []
    assert ids(log.append("lobby", [post("a", "n"), post("b")])) == [1, 1_503]


# Redacting


def word(number: int) -> str:
    return f"secret{number:07}x"


def texts(log: Log) -> list[str]:
    return [message.text for message in log.read("lobby", 0, 99)]


@pytest.mark.parametrize("steps", [0, 1, 99], ids=["fresh", "moved", "indexed"])
def test_a_redacted_message_is_empty_wherever_it_is_asked_for(log: Log, clock: Clock, steps: int) -> None:
    log.append("lobby", [post("before"), Post("Ann", "ann", "rude words", "action", "n"), post("after")])
    for _ in range(steps):
        log.tidy()
    clock.now += 1
    empty = Msg(2, 1_000_000_500, "lobby", "Ann", "", "action", "n")
    assert log.redact("lobby", 2) == log.redact("lobby", 2) == empty
    for _ in range(2):
        assert log.read("lobby", 1, 1) == log.read_back("lobby", 3, 1) == [empty]
        assert log.search("rude", ["lobby"], 9) == log.search("words", ["lobby"], 9) == []
        assert ids(log.search("after", ["lobby"], 9)) == [3]
        assert texts(log) == ["before", "", "after"]
        tidy(log)
    assert ids(log.append("lobby", [post("rude words", "n"), post("next")])) == [2, 4]
    assert texts(log) == ["before", "", "after", "next"]


def test_only_what_is_kept_is_redacted(make: Make) -> None:
    log = make(Retention(messages=2))
    fill(log, 4)
    tidy(log)
    assert log.redact("attic", 1) is None
    assert [log.redact("lobby", id_) for id_ in (-1, 0, 1, 2, 5, 2**53 - 1)] == [None] * 6
    assert texts(log) == ["text 3", "text 4"]
    assert log.redact("lobby", 3)
    fill(log, 2)
    tidy(log)
    assert log.redact("lobby", 3) is None
    assert log.search("text", ["lobby"], 9)


def test_memory_that_is_redacted_is_free(clock: Clock) -> None:
    log = MemoryLog(clock=clock)
    log.append("lobby", [post(LONG)])
    log.redact("lobby", 1)
    assert log._size == log._rooms["lobby"].size < 500


def test_each_one_of_many_in_the_journal_is_found_there(tmp_path: Path, clock: Clock) -> None:
    with closing(reopen(tmp_path, clock)) as log:
        for number in range(1, 10):
            log.append("dev", [post("dev")] * (number % 3))
            log.append("lobby", [post(word(number)), post(LONG + word(number))])
        assert len(log._journal) == 27
        for id_ in (1, 4, 9, 18):
            assert log.redact("lobby", id_)
        kept = log.read("lobby", 0, 99)
        assert [message.id for message in kept if not message.text] == [1, 4, 9, 18]
        shutil.copytree(tmp_path, tmp_path / "crashed")
    with closing(reopen(tmp_path / "crashed", clock)) as log:
        assert log.read("lobby", 0, 99) == kept
        tidy(log)
        assert log.read("lobby", 0, 99) == kept


def chatter(log: Log, chance: random.Random) -> list[tuple[str, int, str]]:
    """Has much said in several rooms at once, so that pages are split; returns rooms, ids and words."""
    said = []
    for number in range(3_000):
        room = chance.choice(["lobby", "dev", "attic"])
        text = word(number) + " filling" * chance.choice([0, 5, 20, 30, 700])
        said.append((room, log.append(room, [post(text)])[0].id, word(number)))
        if number % 50 == 0:
            tidy(log)
    return said


def left_in_files(path: Path, words: list[str]) -> list[str]:
    data = b"".join(file.read_bytes() for file in path.iterdir())
    return [word for word in words if word.encode() in data]


def test_no_byte_is_left_of_what_was_redacted(tmp_path: Path, clock: Clock) -> None:
    chance = random.Random(5)
    with closing(reopen(tmp_path, clock)) as log:
        said = chatter(log, chance)
        gone = chance.sample(said[:-10], 300) + said[-10:]  # The last ones are in the journal.
        assert log._journal
        for room, id_, _ in gone:
            assert log.redact(room, id_)
        assert len(left_in_files(tmp_path, [text for *_, text in gone])) > 200
        tidy(log)
        assert left_in_files(tmp_path, [text for *_, text in gone]) == []
        for room, id_, text in chance.sample(said, 200):
            assert bool(log.search(text, [room], 9)) == ((room, id_, text) not in gone)
        log._connection.execute("INSERT INTO words (words) VALUES ('integrity-check')")
        assert log._connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_after_a_crash_the_rest_is_removed(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "data").mkdir()
    with closing(reopen(tmp_path / "data", clock)) as log:
        log.append("lobby", [post(f"{word(number)} and {LONG}") for number in range(9)])
        tidy(log)
        assert log.redact("lobby", 5)
        for step in range(6):
            shutil.copytree(tmp_path / "data", tmp_path / f"crashed {step}")
            log.tidy()
    for step in range(6):
        path = tmp_path / f"crashed {step}"
        with closing(reopen(path, clock)) as log:
            assert log.search(word(4), ["lobby"], 9) == []
            tidy(log)
            assert left_in_files(path, [word(4)]) == []
            assert ids(log.search("and", ["lobby"], 99)) == [9, 8, 7, 6, 4, 3, 2, 1]


def test_a_reader_keeps_nobody_waiting(tmp_path: Path, clock: Clock) -> None:
    with closing(reopen(tmp_path, clock)) as log:
        log.append("lobby", [post(word(1))])
        with closing(open_snapshot(tmp_path)) as reader:
            assert log.redact("lobby", 1)
            tidy(log)
            assert reader.execute("SELECT batch FROM journal").fetchall()
            assert ids(log.append("lobby", [post("after")])) == [2]
        tidy(log)
        assert left_in_files(tmp_path, [word(1)]) == []


@pytest.mark.parametrize("words", ["UPDATE journal", "INSERT INTO traces", "COMMIT"])
def test_a_redaction_that_fails_changes_nothing(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.setattr(sqlite, "REOPEN_SECONDS", 0)
    with closing(reopen(tmp_path, clock)) as log:
        log.append("lobby", [post("a")])
        fail(log, words, done=False)
        with pytest.raises(StorageError):
            log.redact("lobby", 1)
        assert texts(log) == ["a"]
        assert log.redact("lobby", 1)
        assert texts(log) == [""]
    with closing(reopen(tmp_path, clock)) as log:
        assert texts(log) == [""]


@given(
    st.sampled_from([b"", b"\0" * 40, b"\0" * 30 + b"x"]),
    st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.integers(1, 200)), min_size=1, max_size=5),
)
def test_a_gap_is_found_as_it_is(gap: bytes, rows: list[tuple[int, int]]) -> None:
    cells = [varint(size + 3) + varint(rowid) + b"\x03\0\x71" + b"z" * size for rowid, size in rows]
    found = find_gap(page_of(cells, gap))
    assert (found is None) == (not gap.strip(b"\0"))
    if found:
        shortest, rowid = min((size, rowid) for rowid, size in (rows[:-1] or rows))
        free = 4096 - 8 - 2 * len(cells) - sum(map(len, cells))
        assert found == Gap(rowid, 2, min(free - 4, 4061 - shortest - 3))
        # The last one stands first, and grows only where there is no other one.


@pytest.mark.parametrize("page", [bytes(4096), b"\x0d" + bytes(4095), b"\x05\0\0\0\1" + b"x" * 4091])
def test_what_is_no_page_of_rows_has_no_gap(page: bytes) -> None:
    assert find_gap(page) is None


def page_of(cells: list[bytes], gap: bytes) -> bytes:
    """Returns a page with rows, their cells at its end, and `gap` in what is free."""
    starts = [4096 - sum(map(len, cells[: number + 1])) for number in range(len(cells))]
    head = b"\x0d\0\0" + len(cells).to_bytes(2) + starts[-1].to_bytes(2) + b"\0"
    head += b"".join(start.to_bytes(2) for start in starts)
    return (head + gap).ljust(starts[-1], b"\0") + b"".join(reversed(cells))


def varint(value: int) -> bytes:
    value &= 2**64 - 1
    if value >> 56:
        return bytes(value >> shift & 0x7F | 0x80 for shift in range(57, 1, -7)) + bytes([value & 0xFF])
    groups = [value >> shift & 0x7F for shift in range(49, -1, -7) if value >> shift or not shift]
    return bytes(group | 0x80 for group in groups[:-1]) + bytes([groups[-1]])


# On disk


def reopen(path: Path, clock: Clock, retention: Retention = KEEP_ALL) -> SqliteLog:
    return SqliteLog(path, retention, clock)


def test_all_is_there_again(tmp_path: Path, clock: Clock) -> None:
    with closing(reopen(tmp_path, clock)) as log:
        messages = log.append("lobby", [post("one", "a\0b"), post("two")])
        log.set_topic(Topic("dev", "t", "ann", 5))
    with closing(reopen(tmp_path, clock)) as log:
        assert log.read("lobby", 0, 9) == messages
        assert log.rooms() == {"lobby": 2, "dev": 0}
        assert log.topic("dev") == Topic("dev", "t", "ann", 5)
        assert ids(log.append("lobby", [post("x", "a\0b"), post("y")])) == [1, 3]
        assert ids(log.search("two", ["lobby"], 9)) == [2]


def test_ids_and_nonces_outlive_all_messages(tmp_path: Path, clock: Clock) -> None:
    with closing(reopen(tmp_path, clock, Retention(seconds=1))) as log:
        log.append("lobby", [post("a", "n"), post()])
        clock.now += 2
        tidy(log)
    with closing(reopen(tmp_path, clock)) as log:
        assert log.bounds("lobby") == (3, 2)
        assert ids(log.append("lobby", [post("a", "n"), post()])) == [1, 3]
        clock.now += REMEMBERED_SECONDS
        tidy(log)
        assert ids(log.append("lobby", [post("a", "n")])) == [4]


def test_what_is_returned_is_committed(tmp_path: Path, clock: Clock) -> None:
    with closing(reopen(tmp_path, clock)) as log:
        log.append("lobby", [post("one")])
        with closing(sqlite3.connect(f"file:{tmp_path / FILE}?mode=ro", uri=True)) as other:
            rows = other.execute("SELECT json_extract(batch, '$[0][3]') FROM journal").fetchall()
            assert rows == [("one",)]


def test_what_was_not_moved_is_there_after_a_crash(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "data").mkdir()
    with closing(reopen(tmp_path / "data", clock)) as log:
        kept = log.append("lobby", [post("one", "n"), post("a \\ \0 nonce", "\\\0")])
        kept += log.append("lobby", [post(LONG), Post("Ann", "ann", "waves", "action")])
        log.append("dev", [post()])
        shutil.copytree(tmp_path / "data", tmp_path / "crashed")
    with closing(reopen(tmp_path / "crashed", clock)) as log:
        assert len(log._journal) == 5
        assert log.read("lobby", 0, 9) == kept
        assert log.rooms() == {"lobby": 4, "dev": 1}
        assert ids(log.append("lobby", [post("one", "n"), post("x", "\\\0"), post("new", "new")])) == [
            1,
            2,
            5,
        ]
        assert ids(log.search("waves", ["lobby"], 9)) == [4]
        assert ids(log.append("lobby", [post("one", "n"), post("new", "new")])) == [1, 5]
    with closing(reopen(tmp_path / "crashed", clock)) as log:
        assert not log._journal
        assert ids(log.read("lobby", 0, 9)) == [1, 2, 3, 4, 5]


def test_a_log_that_is_not_moved_is_moved_before_more_is_written(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "MAX_BYTES", 20_000)
    with closing(reopen(tmp_path, clock)) as log:
        for number in range(20):
            log.append("lobby", [post(LONG)])
            assert len(log._journal) <= 3, number
        assert [message.text for message in log.read("lobby", 0, 99)] == [LONG] * 20


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 6), st.booleans()), max_size=25), st.data())
def test_reading_does_not_depend_on_what_was_moved(steps: list[tuple[str, int, bool]], data: Any) -> None:
    """Everything is read as it was appended, wherever it is by now, after a crash as well."""
    clock = Clock()
    kept: dict[str, list[Msg]] = {"a": [], "b": []}
    with (
        tempfile.TemporaryDirectory() as directory,
        pytest.MonkeyPatch.context() as patch,
        closing(SqliteLog(Path(directory), KEEP_ALL, clock)) as log,
    ):
        patch.setattr(sqlite, "STEP", 4)
        patch.setattr(sqlite, "BUSY_MESSAGES", 10**9)
        patch.setattr(journal, "MAX_MESSAGES", 15)
        for room, count, moves in steps:
            if count:
                kept[room] += log.append(room, [post(f"{number}") for number in range(count)])
            clock.now += 1
            if moves:
                log.tidy()
            if not count and moves:
                log._load(0)  # What a start after a crash begins with.
        for room, messages in kept.items():
            after, before = (data.draw(st.integers(0, len(messages) + 2)) for _ in range(2))
            limit = data.draw(st.integers(1, 12))
            assert log.bounds(room) == (1, len(messages))
            assert log.read(room, after, limit) == messages[after : after + limit]
            assert log.read_back(room, before, limit) == messages[: max(before - 1, 0)][-limit:]
            at = messages[after].at if after < len(messages) else 10**15
            first = next((message.id for message in messages if message.at >= at), len(messages) + 1)
            assert log.since(room, at) == first


@pytest.mark.parametrize(
    "batch",
    [
        "nonsense",
        "[[1]]",
        "[[1099511627779, 5, 'ann', 'an id too far', null, null]]".replace("'", '"'),
        "[[99999999999999, 5, 'ann', 'no such room', null, null]]".replace("'", '"'),
    ],
)
def test_a_damaged_journal_is_told_in_one_line(tmp_path: Path, clock: Clock, batch: str) -> None:
    with closing(reopen(tmp_path, clock)) as log:
        log.append("lobby", [post()])
    with closing(sqlite3.connect(tmp_path / FILE)) as other:
        other.execute("INSERT INTO journal VALUES (1, ?)", (batch,))
        other.commit()
    with pytest.raises(DataError, match="damaged") as caught:
        reopen(tmp_path, clock)
    assert str(tmp_path / FILE) in str(caught.value)


class Failing:
    """A connection of which one statement fails: before it is done, or after."""

    def __init__(self, connection: sqlite3.Connection, words: str, *, done: bool) -> None:
        self._connection = connection
        self._words = words
        self._done = done

    def execute(self, statement: str, *given: Any) -> Any:
        if self._words not in statement:
            return self._connection.execute(statement, *given)
        if self._done:
            self._connection.execute(statement, *given)
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorname = "SQLITE_IOERR"
        raise error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def fail(log: SqliteLog, words: str, *, done: bool) -> None:
    failing: Any = Failing(log._connection, words, done=done)
    log._connection = log._journal._connection = log._traces._connection = failing


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("before", [0, 3])
def test_ids_of_a_commit_that_failed_are_free(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, before: int, done: bool
) -> None:
    """Although it may be on the disk: nobody was told."""
    monkeypatch.setattr(sqlite, "REOPEN_SECONDS", 0)
    with closing(reopen(tmp_path, clock)) as log:
        fill(log, before)
        fail(log, "INSERT INTO journal", done=done)
        with pytest.raises(StorageError):
            log.append("lobby", [post("lost", "n"), post("too")])
        assert log.bounds("lobby") == (1, before)
        assert ids(log.append("lobby", [post("kept", "n")])) == [before + 1]
        assert [message.text for message in log.read("lobby", before, 9)] == ["kept"]


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize(
    "words", ["INSERT INTO messages", "DELETE FROM journal", "COMMIT", "= FULL", "ROLLBACK"]
)
def test_a_move_that_fails_changes_nothing(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, words: str, done: bool
) -> None:
    monkeypatch.setattr(sqlite, "REOPEN_SECONDS", 0)
    with closing(reopen(tmp_path, clock)) as log:
        fill(log, 5)
        log.append("lobby", [post("nonced", "n")])
        fail(log, words, done=done)
        log.tidy()
        assert ids(log.read("lobby", 0, 99)) == ids(log.read_back("lobby", 99, 99)) == [1, 2, 3, 4, 5, 6]
        assert ids(log.append("lobby", [post("nonced", "n"), post()])) == [6, 7]
        tidy(log)
        assert ids(log.read("lobby", 0, 99)) == [1, 2, 3, 4, 5, 6, 7]
        assert not log._journal
        assert log._connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_what_is_too_old_is_forgotten_though_others_talk(tmp_path: Path, clock: Clock) -> None:
    with closing(reopen(tmp_path, clock, Retention(seconds=10, messages=3))) as log:
        fill(log, 9, "attic")
        fill(log, 9)
        log.tidy()  # Moves it.
        clock.now += 20
        for _ in range(3):
            fill(log, 1)
            log.tidy()
        assert log.bounds("attic") == (10, 9)
        assert log.bounds("lobby")[0] > 6


def test_a_full_disk_can_still_forget(tmp_path: Path, clock: Clock) -> None:
    with closing(reopen(tmp_path, clock, Retention(seconds=10))) as log:
        fill(log, 4_000)
        tidy(log)
        pages = log._connection.execute("PRAGMA page_count").fetchone()[0]
        log._connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StorageError, match="full"):
            for _ in range(10_000):
                log.append("lobby", [post()])
        last = log.bounds("lobby")[1]
        assert log._journal
        clock.now += 20
        wait_for(lambda: log.tidy() == IDLE_SECONDS, "everything is forgotten")
        assert log.bounds("lobby") == (last + 1, last)
        assert ids(log.append("lobby", [post()])) == [last + 1]


def test_a_full_disk_can_still_redact(tmp_path: Path, clock: Clock) -> None:
    with closing(reopen(tmp_path, clock)) as log:
        log.append("lobby", [post(f"{word(number)} is said") for number in range(1, 1_001)])
        tidy(log)
        pages = log._connection.execute("PRAGMA page_count").fetchone()[0]
        log._connection.execute(f"PRAGMA max_page_count = {pages}")
        gone = list(range(100, 300))
        for id_ in gone:
            assert log.redact("lobby", id_)
        for _ in range(20):  # There may be no place to merge the index.
            log.tidy()
        assert ids(log.search("said", ["lobby"], 1_000)) == [*range(1_000, 299, -1), *range(99, 0, -1)]
        log._connection.execute("PRAGMA max_page_count = 1000000")
        tidy(log)
        assert left_in_files(tmp_path, [word(id_) for id_ in gone]) == []


def test_a_search_on_a_full_disk_finds_what_was_indexed_before(tmp_path: Path, clock: Clock) -> None:
    with closing(reopen(tmp_path, clock)) as log:
        log.append("lobby", [post("a needle")])
        tidy(log)
        log.append("lobby", [post("a needle")])
        fail(log, "PRAGMA synchronous = NORMAL", done=False)
        assert ids(log.search("needle", ["lobby"], 9)) == [1]


def test_a_message_that_makes_no_sense_is_no_mistake_of_the_server(tmp_path: Path, clock: Clock) -> None:
    with closing(reopen(tmp_path, clock)) as log:
        fill(log, 3)
        tidy(log)
        log._connection.execute("UPDATE messages SET kind = 'song' WHERE key & 7 = 2")
        with pytest.raises(StorageError, match="cannot read"):
            log.read("lobby", 0, 9)
        with pytest.raises(StorageError, match="cannot read"):
            log.read_back("lobby", 9, 9)


def test_files_are_for_this_user_alone(tmp_path: Path, clock: Clock) -> None:
    data = tmp_path / "made" / "data"
    with DirectoryLock(data), closing(reopen(data, clock)) as log:
        log.append("lobby", [post()])
        assert data.stat().st_mode & 0o777 == 0o700
        assert {path.stat().st_mode & 0o777 for path in data.iterdir()} == {0o600}


def test_what_cannot_be_written_is_not_there(tmp_path: Path, clock: Clock) -> None:
    with closing(reopen(tmp_path, clock)) as log:
        log.append("lobby", [post("a", "n")])
        path = tmp_path / FILE
        path.rename(tmp_path / "away")
        with pytest.raises(StorageError):
            log.append("lobby", [post("b", "m")])
        with pytest.raises(StorageError):
            log.set_topic(Topic("lobby", "t", "ann", 1))
        assert log.bounds("lobby") == (1, 1)
        (tmp_path / "away").rename(path)
        assert ids(log.append("lobby", [post("b", "m"), post("a", "n")])) == [2, 1]
        assert log.topic("lobby") is None


def test_a_full_disk(tmp_path: Path, clock: Clock) -> None:
    with closing(reopen(tmp_path, clock)) as log:
        log.append("lobby", [post()])
        pages = log._connection.execute("PRAGMA page_count").fetchone()[0]
        log._connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StorageError, match="full"):
            fill(log, 5_000)
        assert ids(log.read("lobby", 0, 9)) == [1]
        log._connection.execute("PRAGMA max_page_count = 1000000")
        assert ids(log.append("lobby", [post()])) == [2]


def test_nothing_is_found_by_looking_at_everything(tmp_path: Path, clock: Clock) -> None:
    from chatctl.history import sqlite as module

    with closing(reopen(tmp_path, clock)) as log:
        for statement in (module._PAGE, module._PAGE_BACK, module._BY_KEY, module._AT, module._REPEATED):
            count = statement.count("?")
            given: Any = [1] * count if count else {"nonces": "[]", "at": 1}
            plan = log._connection.execute(f"EXPLAIN QUERY PLAN {statement}", given).fetchall()
            assert not [row for row in plan if row[3] in ("SCAN messages", "SCAN spent")], plan
            assert [row for row in plan if "SEARCH messages" in row[3]], plan


def test_an_older_database_keeps_its_messages(tmp_path: Path, clock: Clock) -> None:
    with closing(sqlite3.connect(tmp_path / FILE)) as old:
        old.executescript(
            f"{MIGRATIONS[0]} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1;"
        )
        old.execute("INSERT INTO rooms (name, trimmed) VALUES ('lobby', 4)")
        old.execute("INSERT INTO messages VALUES ((1 << 40) + 5, 7, 'ann', 'an old story', NULL, NULL)")
        old.commit()
    with closing(reopen(tmp_path, clock)) as log:
        assert log.read("lobby", 0, 9) == [Msg(5, 7, "lobby", "ann", "an old story")]
        assert ids(log.search("story", ["lobby"], 9)) == [5]
        assert ids(log.append("lobby", [post()])) == [6]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (
            f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 99; CREATE TABLE t (x);",
            "newer chatctl",
        ),
        ("CREATE TABLE songs (title);", "not a database of chatctl"),
    ],
)
def test_a_database_that_is_not_ours_is_left_alone(tmp_path: Path, script: str, words: str) -> None:
    path = tmp_path / FILE
    with closing(sqlite3.connect(path)) as other:
        other.executescript(script)
    before = path.read_bytes()
    with pytest.raises(DataError, match=words) as caught:
        SqliteLog(tmp_path)
    assert str(path) in str(caught.value)
    assert (path.read_bytes(), [file.name for file in tmp_path.iterdir()]) == (before, [FILE])


def test_a_directory_is_used_by_one(tmp_path: Path) -> None:
    with (
        DirectoryLock(tmp_path),
        pytest.raises(DataError, match=r"is in use by process \d+: stop that server"),
    ):
        DirectoryLock(tmp_path)
    DirectoryLock(tmp_path).close()
    with pytest.raises(DataError, match="that is a file"):
        DirectoryLock(tmp_path / "lock")


@pytest.mark.parametrize("nonce", ["", "a", "\\", "\0", "\\0", "\\\0\\\\0", "0"])
def test_packed_nonces(nonce: str) -> None:
    assert unpack(pack(nonce)) == nonce
    assert "\0" not in pack(nonce)


# Whether it can be written


def test_a_log_that_can_be_written(log: Log) -> None:
    log.check()
    fill(log, 1)
    log.check()


def test_a_log_that_cannot_be_written_says_so_until_it_can(tmp_path: Path, clock: Clock) -> None:
    data, away = tmp_path / "data", tmp_path / "away"
    data.mkdir()
    with closing(SqliteLog(data, KEEP_ALL, clock)) as log:
        fill(log, 1)
        data.rename(away)
        for _ in range(2):
            with pytest.raises(StorageError):
                log.check()
        away.rename(data)
        log.check()
        fill(log, 1)


def test_what_was_not_written_is_tried_again_by_the_check(tmp_path: Path, clock: Clock) -> None:
    with closing(SqliteLog(tmp_path, KEEP_ALL, clock)) as log:
        fill(log, 1)
        connection = log._connection
        connection.execute("PRAGMA query_only = ON")
        with pytest.raises(StorageError):
            fill(log, 1)
        log._broken = False  # It is still the connection that it was.
        with pytest.raises(StorageError):
            log.check()
        log._broken = False
        connection.execute("PRAGMA query_only = OFF")
        log.check()
        assert ids(log.read("lobby", 0, 9)) == [1]
