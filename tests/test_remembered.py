"""What a client keeps between its runs, and that it does without where it cannot."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import platformdirs
import pytest

from chatctl.client.directories import state_directory
from chatctl.client.terminal.remembered import (
    MAX_ROOMS,
    MAX_SERVERS,
    SAVE_SECONDS,
    Ignored,
    LastSeen,
    Spot,
)
from chatctl.client.terminal.typed import MAX_KEPT, Typed
from chatctl.errors import DataError


@pytest.mark.parametrize("named", [None, "", "/somewhere/else", "not/absolute"])
def test_where_it_is_kept(monkeypatch: pytest.MonkeyPatch, named: str | None) -> None:
    monkeypatch.delenv("XDG_STATE_HOME")
    if named is not None:
        monkeypatch.setenv("XDG_STATE_HOME", named)
    assert str(state_directory()) == platformdirs.user_state_dir("chatctl", appauthor=False)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_where_one_was_is_known_the_next_time(tmp_path: Path) -> None:
    path = tmp_path / "new" / "seen.json"
    seen = LastSeen(path, "a:1")
    assert seen.get("lobby") is None
    seen.note("lobby", Spot(7, 70))
    seen.save(now=True)
    assert mode(path) == 0o600
    assert LastSeen(path, "a:1").get("lobby") == Spot(7, 70)
    assert LastSeen(path, "b:1").get("lobby") is None
    assert LastSeen(path, "a:1").get("dev") is None


def test_two_clients_do_not_forget_for_each_other(tmp_path: Path) -> None:
    path = tmp_path / "seen.json"
    first, second, third = LastSeen(path, "a:1"), LastSeen(path, "a:1"), LastSeen(path, "b:1")
    for seen, room in ((first, "lobby"), (second, "dev"), (third, "lobby")):
        seen.note(room, Spot(1, 1))
        seen.save(now=True)
    again = LastSeen(path, "a:1")
    assert again.get("lobby") == again.get("dev") == LastSeen(path, "b:1").get("lobby") == Spot(1, 1)


def test_it_is_written_now_and_then(tmp_path: Path) -> None:
    path = tmp_path / "seen.json"
    now = 100.0
    seen = LastSeen(path, "a:1", lambda: now)
    seen.note("lobby", Spot(1, 1))
    seen.save()
    assert not path.exists()
    now += SAVE_SECONDS
    seen.save()
    assert path.exists()


def test_servers_of_long_ago_are_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "seen.json"
    for number in range(MAX_SERVERS + 3):
        seen = LastSeen(path, f"a:{number}")
        seen.note("lobby", Spot(1, 1))
        seen.save(now=True)
    kept = json.loads(path.read_text())
    assert len(kept) == MAX_SERVERS
    assert "a:2" not in kept
    assert f"a:{MAX_SERVERS + 2}" in kept


def test_rooms_of_long_ago_are_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "seen.json"
    for number in range(2):
        seen = LastSeen(path, "a:1")
        for room in ["lobby", *(f"room-{number}-{n}" for n in range(MAX_ROOMS - 1))]:
            seen.note(room, Spot(1, 1))
        seen.save(now=True)
    kept = json.loads(path.read_text())["a:1"]
    assert len(kept) == MAX_ROOMS
    assert {"lobby", f"room-1-{MAX_ROOMS - 2}"} <= kept.keys()
    assert "room-0-0" not in kept


def test_where_one_was_in_this_run_counts_too(tmp_path: Path) -> None:
    seen = LastSeen(tmp_path / "seen.json", "a:1")
    seen.note("lobby", Spot(7, 70))
    seen.save(now=True)
    assert seen.get("lobby") == Spot(7, 70)


def test_what_cannot_be_written_is_told_once_and_kept_for_later(tmp_path: Path) -> None:
    path = tmp_path / "seen.json"
    path.mkdir()
    seen = LastSeen(path, "a:1")
    seen.note("lobby", Spot(1, 1))
    with pytest.raises(DataError):
        seen.save(now=True)
    seen.save(now=True)
    path.rmdir()
    seen.save(now=True)
    assert LastSeen(path, "a:1").get("lobby") == Spot(1, 1)
    path.unlink()
    path.mkdir()
    seen.note("lobby", Spot(2, 2))
    with pytest.raises(DataError):
        seen.save(now=True)


@pytest.mark.parametrize("damaged", [b"", b"{", b"[]", b'{"a:1": {"lobby": "x"}}', b"\xff"])
def test_what_cannot_be_read_is_begun_anew(tmp_path: Path, damaged: bytes) -> None:
    path = tmp_path / "seen.json"
    path.write_bytes(damaged)
    seen = LastSeen(path, "a:1")
    assert seen.get("lobby") is None
    seen.note("lobby", Spot(1, 1))
    seen.save(now=True)
    assert LastSeen(path, "a:1").get("lobby") == Spot(1, 1)


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "seen.json"
    seen = LastSeen(path, "a:1")
    seen.note("lobby", Spot(1, 1))
    with pytest.raises(DataError, match=r"cannot write .*seen\.json: "):
        seen.save(now=True)
    seen.save(now=True)  # It does not try again until there is something new.
    with pytest.raises(DataError):
        Ignored(tmp_path / "file" / "ignored").add("bob")


def test_nothing_is_kept_without_a_place() -> None:
    seen = LastSeen(None, "a:1")
    seen.note("lobby", Spot(1, 1))
    seen.save(now=True)
    ignored = Ignored(None)
    ignored.add("bob")
    assert "bob" in ignored


def test_who_is_ignored_in_any_spelling(tmp_path: Path) -> None:
    path = tmp_path / "ignored"
    ignored = Ignored(path)
    assert "bob" not in ignored
    ignored.add("Bob")
    ignored.add("ann")
    assert mode(path) == 0o600
    again = Ignored(path)
    assert "bOB" in again
    assert again.names() == ["Bob", "ann"]
    assert again.remove("BOB")
    assert not again.remove("bob")
    assert Ignored(path).names() == ["ann"]


def test_whoever_takes_another_name_stays_ignored(tmp_path: Path) -> None:
    ignored = Ignored(tmp_path / "ignored")
    ignored.add("troll")
    ignored.follow("Troll", "Angel")
    ignored.follow("bob", "rob")
    assert "angel" in ignored
    assert "rob" not in ignored
    assert Ignored(tmp_path / "ignored").names() == ["troll"]
    assert ignored.remove("troll")
    assert "angel" not in ignored


def test_two_clients_do_not_forget_whom_the_other_one_ignores(tmp_path: Path) -> None:
    path = tmp_path / "ignored"
    first, second = Ignored(path), Ignored(path)
    first.add("bob")
    second.add("cat")
    first.add("dan")
    assert first.remove("dan")
    assert Ignored(path).names() == ["bob", "cat"]


# What was typed


def strings(path: Path) -> list[str]:
    return list(Typed(path).load_history_strings())


def test_what_was_typed_is_there_the_next_time(tmp_path: Path) -> None:
    path = tmp_path / "new" / "typed"
    typed = Typed(path)
    assert list(typed.load_history_strings()) == []
    typed.store_string("one")
    typed.store_string("two\nlines")
    assert mode(path) == 0o600
    assert strings(path) == ["two\nlines", "one"]


def test_it_is_cut_once_it_has_become_long(tmp_path: Path) -> None:
    path = tmp_path / "typed"
    typed = Typed(path)
    assert list(typed.load_history_strings()) == []
    for number in range(600):
        typed.store_string(f"{number} {'x' * 1000}")
    kept = strings(path)
    assert path.stat().st_size <= MAX_KEPT
    assert kept[0].startswith("599 ")
    assert kept[-1].split()[0].isdecimal()
    assert mode(path) == 0o600


def test_typing_goes_on_where_nothing_can_be_kept(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told: list[str] = []
    typed = Typed(tmp_path / "file" / "typed")
    typed.tell = told.append
    assert list(typed.load_history_strings()) == []
    typed.store_string("one")
    assert len(told) == 1
    assert "what you type is not kept" in told[0]


def test_a_file_that_goes_away_is_told_once(tmp_path: Path) -> None:
    told: list[str] = []
    typed = Typed(tmp_path / "new" / "typed")
    typed.tell = told.append
    assert list(typed.load_history_strings()) == []
    (tmp_path / "new" / "typed").unlink()
    (tmp_path / "new").rmdir()
    for text in ("one", "two"):
        typed.store_string(text)
    assert len(told) == 1
