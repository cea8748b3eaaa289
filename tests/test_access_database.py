"""The database of who may do what: its file, several processes at once, and what is not ours."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from chatctl.access import database
from chatctl.access.database import FILE, MIGRATIONS, Database
from chatctl.access.opened import AccessBook
from chatctl.errors import DataError, StorageError
from tests.helpers import SECONDS, environment

WRITER = """
import sys
from pathlib import Path
from chatctl.access.opened import AccessBook

with AccessBook(Path(sys.argv[1])) as book:
    for number in range(40):
        book.bans.put("ban", f"{sys.argv[2]}-{number}", by="", seconds=None, reason="")
        book.audit.add("", "ban", sys.argv[2])
"""


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever finds the database in use does not wait for long."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)


def test_only_the_user_can_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with AccessBook(tmp_path) as book:
            book.audit.add("", "ban", "eve")
            (path,) = tmp_path.iterdir()
            assert path.stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)


def test_what_was_written_is_there_again(tmp_path: Path) -> None:
    with AccessBook(tmp_path) as book:
        book.bans.put("ban", "eve", by="ann", seconds=None, reason="spam")
        kept = book.bans.all()
    with AccessBook(tmp_path) as book:
        assert book.bans.all() == kept
        assert book.refresh() is False


def test_without_a_directory_it_is_in_memory() -> None:
    with AccessBook(None) as book, AccessBook(None) as other:
        book.bans.put("ban", "eve", by="ann", seconds=None, reason="")
        assert book.bans.all()
        assert not other.bans.all()


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    writers = [subprocess.Popen([*command, name], env=environment()) for name in ("a", "b")]
    assert [writer.wait(SECONDS * 2) for writer in writers] == [0, 0]
    with AccessBook(tmp_path) as book:
        whom = {ban.whom for ban in book.bans.all()}
        assert whom == {f"{name}-{number}" for name in ("a", "b") for number in range(40)}
        assert len(book.audit.last(100)) == 80


def test_what_another_one_wrote_is_seen_after_a_refresh(tmp_path: Path) -> None:
    with AccessBook(tmp_path) as server, AccessBook(tmp_path) as command:
        command.bans.put("ban", "eve", by="", seconds=None, reason="")
        command.accounts.add("ann", "secret")
        assert server.bans.find("ban", "eve", "") is None
        assert server.refresh()
        assert server.bans.find("ban", "eve", "")
        assert server.accounts.owner("ann")
        assert not server.refresh()
        assert not command.refresh()


def test_what_was_begun_and_failed_is_not_there(tmp_path: Path) -> None:
    kept = Database(tmp_path)
    with pytest.raises(ZeroDivisionError), kept.writing() as connection:
        connection.execute("INSERT INTO allowed VALUES ('ops', 'ann')")
        _ = 1 / 0
    with kept.reading() as connection:
        assert connection.execute("SELECT * FROM allowed").fetchall() == []
    kept.close()


@pytest.mark.usefixtures("quick")
def test_one_who_keeps_it_for_too_long_is_told(tmp_path: Path) -> None:
    with AccessBook(tmp_path) as book:
        other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StorageError, match="cannot keep who may do what right now"):
            book.bans.put("ban", "eve", by="", seconds=None, reason="")
        with pytest.raises(StorageError, match="cannot read"):
            book.keys.invitations()
        with pytest.raises(DataError, match=f"cannot use .*{FILE}"):
            AccessBook(tmp_path)
        other.execute("ROLLBACK")
        other.close()
        book.bans.put("ban", "eve", by="", seconds=None, reason="")


@pytest.mark.parametrize(
    "content", [b"not a database, but long enough to be one" * 100, b"SQLite format 3\0" * 9]
)
def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(DataError, match=f"cannot use .*{FILE}"):
        AccessBook(tmp_path)
    assert (tmp_path / FILE).read_bytes() == content


@pytest.mark.parametrize("statement", ["CREATE TABLE songs (name)", "PRAGMA application_id = 7"])
def test_a_database_of_others_is_left_as_it_is(tmp_path: Path, statement: str) -> None:
    other = sqlite3.connect(tmp_path / FILE)
    other.execute(statement)
    other.commit()
    other.close()
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(DataError, match="not a database of chatctl"):
        AccessBook(tmp_path)
    assert (tmp_path / FILE).read_bytes() == before


def test_a_damaged_one_is_told_in_one_line(tmp_path: Path) -> None:
    with AccessBook(tmp_path) as book:
        for number in range(50):
            book.bans.put("ban", f"eve-{number}", by="", seconds=None, reason="x" * 100)
    path = tmp_path / FILE
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))
    with pytest.raises((DataError, StorageError)) as caught:
        AccessBook(tmp_path)
    assert "\n" not in str(caught.value)


def test_one_of_a_newer_version_is_left_as_it_is(tmp_path: Path) -> None:
    AccessBook(tmp_path).close()
    other = sqlite3.connect(tmp_path / FILE)
    other.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    other.close()
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(DataError, match="newer chatctl: update this one"):
        AccessBook(tmp_path)
    assert (tmp_path / FILE).read_bytes() == before


def test_one_that_can_only_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    AccessBook(tmp_path).close()
    connect = sqlite3.connect

    def connect_to_read(path: Path, **options: object) -> sqlite3.Connection:
        return connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)

    monkeypatch.setattr(sqlite3, "connect", connect_to_read)
    with pytest.raises(DataError, match="readonly"):
        AccessBook(tmp_path)


def test_where_no_file_can_be_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot open"):
        AccessBook(tmp_path / "nowhere")
    (tmp_path / FILE).mkdir()
    with pytest.raises(DataError, match="cannot open"):
        AccessBook(tmp_path)
