"""Export to JSON lines, import and backup, as functions: what comes back is what was there."""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatctl.archive.backup import backup
from chatctl.archive.exporting import export
from chatctl.archive.importing import BATCH, LAST_ID, MAX_LINE, MAX_ROOMS, import_file
from chatctl.archive.output import whole_file
from chatctl.errors import DataError, Refused
from chatctl.history.database import FILE, open_database
from chatctl.history.directory import DirectoryLock
from chatctl.history.log import Post, Retention
from chatctl.history.sqlite import SqliteLog
from chatctl.messages import MAX_KEPT_ROOMS, MAX_NONCE, Msg, Topic
from chatctl.names import fold
from tests.helpers import SECONDS, wait_for

NAMES = ["ann", "Ann", "çem", "李雷", "عمر", "a.b-c_d", "_", "\U0001d4b6"]
ROOMS = ["lobby", "dev", "café", "комната", "a-1", "x.y"]
TEXTS = st.text(
    st.one_of(st.characters(exclude_categories=["Cs", "Cc"]), st.sampled_from("\n\t\\\"'\u2028\u202e\ufeff")),
    min_size=1,
    max_size=30,
)
NONCES = st.text(st.characters(exclude_categories=["Cs"]), max_size=MAX_NONCE // 4)
SAID = st.tuples(
    st.sampled_from(ROOMS),
    st.sampled_from(NAMES),
    TEXTS,
    st.sampled_from(["text", "action"]),
    st.none() | NONCES,
    st.booleans(),  # sets the topic too
)


@contextmanager
def opened(
    directory: Path, retention: Retention | None = None, at: float = 1_700_000_000
) -> Iterator[SqliteLog]:
    directory.mkdir(exist_ok=True)
    log = SqliteLog(directory, retention or Retention(), clock=lambda: at)
    try:
        yield log
    finally:
        log.close()


def post(text: str = "hi", name: str = "ann", nonce: str | None = None, kind: Any = "text") -> Post:
    return Post(name, fold(name), text, kind, nonce)


def fill(directory: Path, count: int = 3, room: str = "lobby") -> None:
    with opened(directory) as log:
        log.append(room, [post(f"text {number}") for number in range(1, count + 1)])


def exported(directory: Path, room: str | None = None) -> bytes:
    with TemporaryDirectory() as made:
        path = Path(made, "out.jsonl")
        assert export(directory, path, room=room) == 0
        return path.read_bytes()


def imported(lines: bytes, directory: Path) -> tuple[int, int, int]:
    """Imports lines; returns how many messages were added and skipped, and in how many rooms."""
    with TemporaryDirectory() as made:
        path = Path(made, "in.jsonl")
        path.write_bytes(lines)
        done = import_file(path, directory)
    return done.added, done.skipped, done.rooms


def line(t: str = "msg", **keys: Any) -> bytes:
    usual: dict[str, dict[str, Any]] = {
        "msg": {"id": 1, "at": 1_700_000_000_000, "room": "lobby", "name": "ann", "text": "hi"},
        "topic": {"room": "lobby", "text": "news", "name": "ann", "at": 1_700_000_000_000},
        "gap": {"room": "lobby", "after": 0, "before": 11},
    }
    return json.dumps({"t": t} | usual[t] | keys).encode() + b"\n"


def messages(directory: Path, room: str = "lobby") -> list[Msg]:
    with opened(directory) as log:
        return log.read(room, 0, 1_000_000)


# There and back


@settings(max_examples=15, deadline=None)
@given(st.lists(SAID, max_size=20), st.integers(1, 5))
def test_what_is_imported_is_exported_as_it_was(said: list[Any], kept: int) -> None:
    with TemporaryDirectory() as made:
        first, second = Path(made, "first"), Path(made, "second")
        with opened(first) as log:
            for room, name, text, kind, nonce, topic in said:
                log.append(room, [post(text, name, nonce, kind)])
                if topic:
                    log.set_topic(Topic(room, text[:30], name, 1_700_000_000_000))
        with opened(first, Retention(messages=kept)) as log:
            while log.tidy() < 1:
                pass
        lines = exported(first)
        imported(lines, second)
        assert exported(second) == lines
        with opened(first) as before, opened(second) as after:
            assert after.rooms() == before.rooms()
            for room in before.rooms():
                assert after.bounds(room) == before.bounds(room)
                assert after.topic(room) == before.topic(room)
                assert after.read(room, 0, 100) == before.read(room, 0, 100)


def test_the_format_is_frames_room_by_room(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        log.append("zoo", [post("one", nonce="n")])
        log.set_topic(Topic("quiet", "", "ann", 5))
        log.append("lobby", [post(f"text {number}") for number in range(4)])
        log.append("zoo", [post("two", "bob", kind="action")])
        log.set_topic(Topic("zoo", "beasts", "bob", 6))
    with opened(tmp_path, Retention(messages=2)) as log:
        while log.tidy() < 1:
            pass
    at = 1_700_000_000_000
    assert [json.loads(line) for line in exported(tmp_path).splitlines()] == [
        {"t": "topic", "room": "zoo", "text": "beasts", "name": "bob", "at": 6},
        {"t": "msg", "id": 1, "at": at, "room": "zoo", "name": "ann", "text": "one", "nonce": "n"},
        {"t": "msg", "id": 2, "at": at, "room": "zoo", "name": "bob", "text": "two", "kind": "action"},
        {"t": "topic", "room": "quiet", "text": "", "name": "ann", "at": 5},
        {"t": "gap", "room": "lobby", "after": 0, "before": 3},
        {"t": "msg", "id": 3, "at": at, "room": "lobby", "name": "ann", "text": "text 2"},
        {"t": "msg", "id": 4, "at": at, "room": "lobby", "name": "ann", "text": "text 3"},
    ]


def test_lines_can_do_nothing_to_a_terminal(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        log.append("lobby", [post("\u202eabc\U000e0041", nonce="\x9b31m\x7f\x1b[2J")])
    lines = exported(tmp_path)
    (message,) = messages(tmp_path)
    assert lines.isascii()
    assert lines.decode().rstrip("\n").isprintable()
    assert json.loads(lines)["text"] == message.text == "\u202eabc\U000e0041"
    assert json.loads(lines)["nonce"] == message.nonce == "\x9b31m\x7f\x1b[2J"


def test_delete_is_escaped_among_plain_characters_too(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        log.append("lobby", [post(nonce="\x7f")])
    assert b'"nonce":"\\u007f"' in exported(tmp_path)


def test_one_room(tmp_path: Path) -> None:
    fill(tmp_path, 2, "lobby")
    fill(tmp_path, 3, "dev")
    assert exported(tmp_path, "#Dev").count(b"\n") == 3
    with pytest.raises(DataError, match="no room #nowhere"):
        exported(tmp_path, "nowhere")
    with pytest.raises(Refused):
        exported(tmp_path, "no where")


def test_what_is_imported_can_be_searched(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    fill(old, 20)
    fill(new, 4)
    imported(exported(old), new)
    with closing(open_database(new)) as connection:
        found = connection.execute("SELECT count(*) FROM words WHERE words MATCH 'text'").fetchone()
        indexed = connection.execute("SELECT indexed FROM rooms").fetchone()
    assert (found, indexed) == ((20,), (20,))
    with opened(new) as log:
        assert [found.id for found in log.search("17", ["lobby"], 10)] == [17]


def test_an_imported_nonce_is_honoured(tmp_path: Path) -> None:
    imported(line(nonce="a\0\\0b"), tmp_path)
    with opened(tmp_path, at=1_700_000_060) as log:
        assert [message.id for message in log.append("lobby", [post("again", nonce="a\0\\0b")])] == [1]
        assert [message.id for message in log.append("lobby", [post("other", nonce="a\0b")])] == [2]


def test_more_messages_than_are_written_at_a_time(tmp_path: Path) -> None:
    count = 2 * BATCH + 1
    lines = b"".join(
        line(id=number, text=f"text {number}", nonce=f"n{number}") for number in range(1, count + 1)
    )
    assert imported(lines, tmp_path) == (count, 0, 1)
    again = exported(tmp_path)
    assert again.count(b"\n") == count
    assert [json.loads(line)["id"] for line in again.splitlines()] == list(range(1, count + 1))
    assert imported(again, tmp_path) == (0, count, 0)


# Into rooms that are there


def test_what_is_there_is_skipped_and_what_follows_is_added(tmp_path: Path) -> None:
    fill(tmp_path / "old", 10)
    fill(tmp_path / "new", 4)
    lines = exported(tmp_path / "old")
    assert imported(lines, tmp_path / "new") == (6, 4, 1)
    assert imported(lines, tmp_path / "new") == (0, 10, 0)
    assert exported(tmp_path / "new") == lines
    last = b"".join(lines.splitlines(keepends=True)[7:])
    assert imported(last, tmp_path / "new") == (0, 3, 0)


def test_what_is_no_longer_kept_there_stays_away(tmp_path: Path) -> None:
    fill(tmp_path / "old", 10)
    fill(tmp_path / "new", 8)
    with opened(tmp_path / "new", Retention(messages=3)) as log:
        while log.tidy() < 1:
            pass
    assert imported(exported(tmp_path / "old"), tmp_path / "new") == (2, 8, 1)
    with opened(tmp_path / "new") as log:
        assert log.bounds("lobby") == (6, 10)


def test_a_gap_that_ends_in_what_is_there(tmp_path: Path) -> None:
    fill(tmp_path, 4)
    lines = line("gap", before=4) + line(id=4, text="text 4") + line(id=5)
    assert imported(lines, tmp_path) == (1, 1, 1)
    assert [message.id for message in messages(tmp_path)] == [1, 2, 3, 4, 5]


def test_the_longest_gap(tmp_path: Path) -> None:
    lines = line("gap", before=LAST_ID) + line(id=LAST_ID)
    assert imported(lines, tmp_path) == (1, 0, 1)
    with opened(tmp_path) as log:
        assert log.bounds("lobby") == (LAST_ID, LAST_ID)
        assert [message.id for message in log.append("lobby", [post(), post()])] == [LAST_ID + 1, LAST_ID + 2]
        assert [message.id for message in log.search("hi", ["lobby"], 9)] == [
            LAST_ID + 2,
            LAST_ID + 1,
            LAST_ID,
        ]


def test_rooms_may_take_turns_and_blank_lines_do_no_harm(tmp_path: Path) -> None:
    lines = (
        line()
        + b"\r\n"
        + line(room="#DEV")
        + b"\n"
        + line(id=2).replace(b"\n", b"\r\n")
        + line(id=3).rstrip()
    )
    assert imported(lines, tmp_path) == (4, 0, 2)
    assert len(messages(tmp_path)) == 3
    assert len(messages(tmp_path, "dev")) == 1


def test_the_newer_topic_stays(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        log.set_topic(Topic("lobby", "now", "ann", 1_000))
    imported(line("topic", text="before", at=999) + line("topic", text="then", at=999, room="dev"), tmp_path)
    with opened(tmp_path) as log:
        assert log.topic("lobby") == Topic("lobby", "now", "ann", 1_000)
        assert log.topic("dev") == Topic("dev", "then", "ann", 999)
    imported(line("topic", text="", at=1_001), tmp_path)
    with opened(tmp_path) as log:
        assert log.topic("lobby") == Topic("lobby", "", "ann", 1_001)


def test_an_empty_file(tmp_path: Path) -> None:
    assert imported(b"", tmp_path) == (0, 0, 0)
    assert exported(tmp_path) == b""


# What is refused


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (line(id=6, text="text 5"), "#lobby 5 would be missing"),
        (line(id=9), "#lobby 5 to 8 would be missing"),
        (line(id=3, text="other"), "#lobby 3 is another message there"),
        (line(id=3, text="text 3", name="bob"), "#lobby 3 is another message there"),
        (line(id=3, text="text 3", kind="action"), "#lobby 3 is another message there"),
        (line(id=3, text="text 3", at=1), "#lobby 3 is another message there"),
        (line(room="new", id=2), "#new begins with 2"),
        (line(id=0), "the id of a message"),
        (line(id=-1), "the id of a message"),
        (line(id=1 << 39), "the id of a message"),
        (line(id=10**30), ""),
        (line(id=5) + line(id=5), "after #lobby 5 comes 6, not 5"),
        (line(id=5) + line(id=7), "after #lobby 5 comes 6, not 7"),
        (line(id=5, at=-1), "a time has"),
        (line(id=5, at=10**15), "a time has"),
        (line(id=5, at=1.5), "int"),
        (line(id=5, at="now"), "int"),
        (line(id=5, name="two words"), "a name cannot hold a space"),
        (line(id=5, name=""), "a name has 1 to 32"),
        (line(id=5, name="\ud800"), "U+D800"),
        (line(room="a b"), "a room cannot hold a space"),
        (line(id=5, text="x" * 8_001), "a text has at most 8000 bytes"),
        (line(id=5, text="\x1b[2J"), "cannot hold the character U+001B"),
        (line(id=5, text="\udc00"), "U+DC00"),
        (line(id=5, kind="shout"), "enum"),
        (line(id=5, nonce="é" * 33), "a nonce has at most 64 bytes"),
        (line(id=5, nonce="\ud800"), "lone surrogates"),
        (line("gap", before=5) + line("gap", before=5), "must come before its messages"),
        (line(id=5) + line("gap", before=6), "must come before its messages"),
        (line("gap", before=7), "#lobby 5 to 6 would be missing"),
        (line("gap", room="new", after=2), "after 0"),
        (line("gap", room="new", before=1), "after 0"),
        (line("gap", room="new", before=1 << 39), "after 0"),
        (line("topic", text="x" * 401), "at most 400 bytes"),
        (line("topic", name="\x1b"), "U+001B"),
        (line("topic", at=-5), "a time has"),
        (b'{"t":"say","text":"hi"}\n', "no such type of frame"),
        (b'{"id":1}\n', "`t`"),
        (b"[]\n", "JSON object"),
        (b"\x1b[2J\n", "malformed"),
        (line(id=5)[:-20], ""),
        (b'{"t":"msg","x":"\xff"}\n', "not UTF-8"),
        (b'{"t":"msg","x":' + b"[" * 50_000 + b"\n", "nested"),
        (b'{"t":"msg","x":"' + b"x" * MAX_LINE + b'"}\n', "a line has at most"),
    ],
)
def test_a_broken_file_changes_nothing(tmp_path: Path, bad: bytes, why: str) -> None:
    fill(tmp_path, 4)
    before = exported(tmp_path)
    good = line(room="other") + line("topic", room="third") + line("topic", text="changed")
    with pytest.raises(DataError) as caught:
        imported(good + bad, tmp_path)
    said = str(caught.value)
    number = 4 + bad.rstrip().count(b"\n")
    assert f"in.jsonl, line {number}: " in said
    assert why in said
    assert said.endswith("nothing was imported")
    assert said.isprintable()
    assert exported(tmp_path) == before


def test_a_server_takes_as_many_rooms() -> None:
    assert MAX_ROOMS == MAX_KEPT_ROOMS


def test_too_many_rooms(tmp_path: Path) -> None:
    lines = b"".join(line("topic", room=f"r{number}") for number in range(MAX_ROOMS + 1))
    with pytest.raises(DataError, match=f"line {MAX_ROOMS + 1}: there would be more than {MAX_ROOMS} rooms"):
        imported(lines, tmp_path)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 90), st.integers(0, 90))
def test_any_damage_is_told_in_one_line(inserted: bytes, start: int, end: int) -> None:
    whole = line()
    with TemporaryDirectory() as made:
        try:
            imported(whole[:start] + inserted + whole[end:], Path(made, "data"))
        except DataError as error:
            assert "in.jsonl, line " in str(error)
            assert str(error).isprintable()


def test_the_directory_must_be_free(tmp_path: Path) -> None:
    fill(tmp_path)
    with DirectoryLock(tmp_path), pytest.raises(DataError, match="in use by process"):
        imported(line(), tmp_path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        import_file(tmp_path / "none.jsonl", tmp_path / "data")
    with pytest.raises(DataError, match="Is a directory"):
        import_file(tmp_path, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_there_is_nothing_to_export_or_to_back_up(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no history"):
        export(tmp_path, tmp_path / "out.jsonl")
    with pytest.raises(DataError, match="there is no history"):
        backup(tmp_path, tmp_path / "copy.db")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_history_is_told_in_one_line(tmp_path: Path) -> None:
    fill(tmp_path / "data", 2_000)
    path = tmp_path / "data" / FILE
    data = bytearray(path.read_bytes())
    start, end = len(data) // 4, len(data) * 3 // 4  # some of it is free, and what stands there does no harm
    data[start:end] = b"\xff" * (end - start)
    path.write_bytes(data)
    for attempt in (
        lambda: export(tmp_path / "data", tmp_path / "out.jsonl"),
        lambda: backup(tmp_path / "data", tmp_path / "copy.db"),
    ):
        with pytest.raises(DataError, match="damaged"):
            attempt()
    assert [found.name for found in tmp_path.iterdir()] == ["data"]


def test_a_damaged_journal_is_told_and_stays_as_it_is(tmp_path: Path) -> None:
    data, file = tmp_path / "data", tmp_path / "more.jsonl"
    fill(data)
    file.write_bytes(line(room="elsewhere"))
    batch = json.dumps([[(1 << 40) + 7, 5, "ann", "an id too far", None, None]])
    with closing(sqlite3.connect(data / FILE)) as connection:
        connection.execute("INSERT INTO journal VALUES (1, ?)", (batch,))
        connection.commit()
    for attempt in (
        lambda: import_file(file, data),
        lambda: export(data, tmp_path / "out.jsonl"),
        lambda: backup(data, tmp_path / "copy.db"),
    ):
        with pytest.raises(DataError, match="damaged"):
            attempt()
    with closing(sqlite3.connect(data / FILE)) as connection:
        assert connection.execute("SELECT batch FROM journal").fetchall() == [(batch,)]


def test_what_is_in_the_journal_is_exported_backed_up_and_imported_into(tmp_path: Path) -> None:
    data, file = tmp_path / "data", tmp_path / "more.jsonl"
    data.mkdir()
    with closing(SqliteLog(data)) as log:
        log.append("lobby", [Post("ann", "ann", "one", nonce="n"), Post("bob", "bob", "two", "action")])
        kept = log.read("lobby", 0, 9)
        export(data, file)
        (tmp_path / "copy").mkdir()
        backup(data, tmp_path / "copy" / FILE)
    shutil.copytree(tmp_path / "copy", tmp_path / "again")
    done = import_file(file, tmp_path / "again")
    assert (done.added, done.skipped) == (0, 2)
    with closing(SqliteLog(tmp_path / "copy")) as log:
        assert len(log._journal) == 2
        assert log.read("lobby", 0, 9) == kept
    done = import_file(file, tmp_path / "new")
    assert (done.added, done.skipped) == (2, 0)
    with closing(SqliteLog(tmp_path / "new")) as log:
        assert log.read("lobby", 0, 9) == kept


# Backups


def test_a_backup_is_one_whole_file(tmp_path: Path) -> None:
    fill(tmp_path / "data", 500)
    with opened(tmp_path / "data") as log:
        log.append("lobby", [post("not in the main file yet")])
        backup(tmp_path / "data", tmp_path / "copy.db")
    (tmp_path / "copy").mkdir()
    assert sorted(found.name for found in tmp_path.iterdir()) == ["copy", "copy.db", "data"]
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
    # By its header it needs no log beside it, and can be read where nothing can be written.
    assert (tmp_path / "copy.db").read_bytes()[18:20] == b"\1\1"
    (tmp_path / "copy.db").rename(tmp_path / "copy" / FILE)
    assert exported(tmp_path / "copy") == exported(tmp_path / "data")


def test_a_backup_does_not_wait_for_a_busy_writer(tmp_path: Path) -> None:
    data, copy = tmp_path / "data", tmp_path / "copy"
    copy.mkdir()
    over = threading.Event()
    with opened(data) as log:
        log.append("lobby", [post("x" * 2_000)] * 2_000)

        def write() -> None:
            while not over.is_set():
                log.append("lobby", [post("y" * 2_000)] * 20)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            wait_for(lambda: log.bounds("lobby")[1] > 2_100, "it is written to")
            done = threading.Thread(target=backup, args=(data, copy / FILE))
            done.start()
            done.join(SECONDS)
            assert not done.is_alive()
        finally:
            over.set()
            writer.join()
        last = log.bounds("lobby")[1]
    found = [message.id for message in messages(copy)]
    assert found == list(range(1, len(found) + 1))
    assert 2_100 < len(found) < last
    with closing(sqlite3.connect(copy / FILE)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_backup_replaces_nothing_unless_it_is_told_to(tmp_path: Path) -> None:
    fill(tmp_path / "data")
    path = tmp_path / "copy.db"
    path.write_text("mine")
    with pytest.raises(DataError, match="--force"):
        backup(tmp_path / "data", path)
    assert path.read_text() == "mine"
    backup(tmp_path / "data", path, force=True)
    assert path.read_bytes().startswith(b"SQLite format 3")


def test_a_file_that_comes_in_between_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "copy.db"
    with pytest.raises(DataError, match="choose another name"), whole_file(path, replace=False) as part:
        part.write_text("new")
        path.write_text("mine")
    assert path.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "name", [FILE, f"{FILE}-wal", f"{FILE}-shm", "lock", "access.db", "certificate.key", "address.json"]
)
def test_the_history_itself_is_never_written_over(tmp_path: Path, name: str) -> None:
    fill(tmp_path)
    before = exported(tmp_path)
    (tmp_path / "there").symlink_to(tmp_path)
    (tmp_path / "link").symlink_to(name)
    for path in (tmp_path / name, tmp_path / "there" / name, tmp_path / "link"):
        with pytest.raises(DataError, match="a file of the server itself"):
            backup(tmp_path, path, force=True)
        with pytest.raises(DataError, match="a file of the server itself"):
            export(tmp_path, path)
    assert exported(tmp_path) == before


# What was redacted


def redacted(directory: Path, at: float = 1_700_000_000) -> bytes:
    """Makes a history in which something was redacted; returns its lines."""
    with opened(directory, at=at) as log:
        log.append(
            "lobby", [post("secretword"), post("kept", nonce="n"), post("secretword too", kind="action")]
        )
        for id_ in (1, 3):
            log.redact("lobby", id_)
    return exported(directory)


def test_what_was_redacted_comes_back_as_such(tmp_path: Path) -> None:
    lines = redacted(tmp_path / "old")
    assert [json.loads(line)["text"] for line in lines.splitlines()] == ["", "kept", ""]
    assert imported(lines, tmp_path / "new") == (3, 0, 1)
    assert imported(lines, tmp_path / "new") == (0, 3, 0)
    assert exported(tmp_path / "new") == lines
    with opened(tmp_path / "new") as log:
        assert [message.id for message in log.search("kept", ["lobby"], 9)] == [2]
        assert log.redact("lobby", 1) == log.read("lobby", 0, 1)[0]


def test_what_was_redacted_on_one_side_stays_as_it_is(tmp_path: Path) -> None:
    fill(tmp_path / "old")
    whole = exported(tmp_path / "old")
    with opened(tmp_path / "old") as log:
        log.redact("lobby", 2)
    lacking = exported(tmp_path / "old")
    assert imported(whole, tmp_path / "old") == (0, 3, 0)
    assert exported(tmp_path / "old") == lacking
    imported(whole, tmp_path / "new")
    assert imported(lacking, tmp_path / "new") == (0, 3, 0)
    assert exported(tmp_path / "new") == whole
    other = lacking.replace(b"1700000000000", b"1700000000001")
    with pytest.raises(DataError, match="#lobby 1 is another message there"):
        imported(other, tmp_path / "new")


def test_a_backup_has_nothing_of_what_was_redacted(tmp_path: Path) -> None:
    with opened(tmp_path / "data") as log:
        log.append("lobby", [post(f"{number} secretword{number:04}x") for number in range(2_000)])
        assert log.search("secretword0777x", ["lobby"], 9)
        log.redact("lobby", 778)
        assert b"secretword0777x" in (tmp_path / "data" / f"{FILE}-wal").read_bytes()
        (tmp_path / "copy").mkdir()
        backup(tmp_path / "data", tmp_path / "copy" / FILE)
    data = (tmp_path / "copy" / FILE).read_bytes()
    assert b"secretword0777x" not in data
    assert b"secretword0778x" in data
    with opened(tmp_path / "copy") as log:
        assert log.read("lobby", 777, 1)[0].text == ""
        assert log.search("secretword0778x", ["lobby"], 9)
