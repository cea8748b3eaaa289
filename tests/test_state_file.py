"""Where a follower is, in a file: what was noted is there again, and what is no such file is left alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatctl.client.scripts.state_file import RECORD, StateFile
from chatctl.errors import DataError
from chatctl.messages import MAX_ID
from chatctl.names import MAX_ROOM

LONGEST = "\U00010400" * MAX_ROOM  # four bytes each
ROOMS = st.sampled_from(["lobby", "ops", "ünïcödé", LONGEST.lower()])


@given(st.lists(st.tuples(ROOMS, st.integers(0, MAX_ID))))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_what_was_noted_last_is_there_again(tmp_path: Path, notes: list[tuple[str, int]]) -> None:
    path = tmp_path / "state"
    path.unlink(missing_ok=True)
    for room, place in notes:
        with StateFile(path) as state:
            state.note(room, place)
            assert state.places[room] == place
    with StateFile(path) as state:
        assert state.places == dict(notes)
    assert path.stat().st_size == RECORD * (1 + len(dict(notes)))


def test_the_longest_room_has_its_place(tmp_path: Path) -> None:
    with StateFile(tmp_path / "state") as state:
        state.note(LONGEST.lower(), MAX_ID)
    with StateFile(tmp_path / "state") as state:
        assert state.places == {LONGEST.lower(): MAX_ID}


def test_a_place_may_be_earlier(tmp_path: Path) -> None:
    with StateFile(tmp_path / "state") as state:
        state.note("lobby", 1_000_000)
        state.note("lobby", 3)
    with StateFile(tmp_path / "state") as state:
        assert state.places == {"lobby": 3}


def test_it_is_nobody_elses_business(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with StateFile(tmp_path / "state"):
            assert (tmp_path / "state").stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)


def test_only_one_at_a_time(tmp_path: Path) -> None:
    with StateFile(tmp_path / "state"), pytest.raises(DataError, match="is in use"):
        StateFile(tmp_path / "state")
    with StateFile(tmp_path / "state"):
        pass


def good(tmp_path: Path) -> bytes:
    with StateFile(tmp_path / "good") as state:
        state.note("lobby", 7)
        state.note("ops", 8)
    return (tmp_path / "good").read_bytes()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"v": 1', b'"v": 2'),
        (b'"state"', b'"notes"'),
        (b'"id": 8', b'"id":-8'),
        (b'"id": 8', b'"id":""'),
        (b'"ops"  ', b'"lobby"'),
        (b'"ops"', b'"o s"'),
        (b'"ops"', b'"\xff\xfe\xfd"'),
        (b"{", b"["),
        (b"}", b"\0"),
    ],
)
def test_what_is_damaged_is_left_alone(tmp_path: Path, old: bytes, new: bytes) -> None:
    data = good(tmp_path).replace(b'"ops", ', b'"ops"  , ').replace(b"  \n", b"\n").replace(old, new)
    data = b"\n".join(line.ljust(RECORD - 1) for line in data.split(b"\n"))[: 3 * RECORD]
    assert_left_alone(tmp_path / "state", data)


@pytest.mark.parametrize("size", [1, RECORD - 1, RECORD + 1, 3 * RECORD - 1])
def test_what_is_cut_off_is_left_alone(tmp_path: Path, size: int) -> None:
    assert_left_alone(tmp_path / "state", good(tmp_path)[:size])


@pytest.mark.parametrize("data", [b"buy milk\n", b"\0" * RECORD, b" " * RECORD, b"{}\n", b"x" * (2 << 20)])
def test_what_is_another_file_is_left_alone(tmp_path: Path, data: bytes) -> None:
    assert_left_alone(tmp_path / "state", data)


def assert_left_alone(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with pytest.raises(DataError, match="damaged, or not what --state has written"):
        StateFile(path)
    assert path.read_bytes() == data


def test_what_cannot_be_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="damaged, or not what"):
        StateFile(tmp_path / "pipe")
    with pytest.raises(DataError, match=r"cannot open .*: Is a directory"):
        StateFile(tmp_path)
    with pytest.raises(DataError, match=r"cannot open .*: No such file or directory"):
        StateFile(tmp_path / "nowhere" / "state")
