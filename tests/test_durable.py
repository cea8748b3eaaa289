"""Files are put in their place whole or not at all, and are nobody else's from the first byte on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chatctl.durable import put_file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file"


@pytest.mark.parametrize("lasting", [True, False])
def test_a_file_is_made_and_replaced(path: Path, lasting: bool) -> None:
    for data in (b"one", b"another\n", b""):
        put_file(path, data, lasting=lasting)
        assert path.read_bytes() == data
        assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(("mode", "before"), [(0o600, 0o644), (0o644, 0o600), (0o600, None)])
def test_the_mode_is_there_from_the_first_byte_on(
    path: Path, mode: int, before: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: list[int] = []
    touch = Path.touch

    def look(part: Path, mode: int, exist_ok: bool) -> None:
        assert not exist_ok
        touch(part, mode, exist_ok)
        modes.append(part.stat().st_mode & 0o777)

    if before is not None:
        path.touch(before)
    monkeypatch.setattr(Path, "touch", look)
    put_file(path, b"text", mode)
    assert modes == [mode]
    assert path.stat().st_mode & 0o777 == mode


def test_what_was_there_stays_where_the_disk_fails(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError("no space left")

    put_file(path, b"before")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space left"):
        put_file(path, b"after")
    assert path.read_bytes() == b"before"
    assert list(path.parent.iterdir()) == [path]


def test_a_link_is_replaced_and_not_followed(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"somebody else's")
    path.symlink_to(other)
    put_file(path, b"text")
    assert not path.is_symlink()
    assert other.read_bytes() == b"somebody else's"


def test_it_is_on_the_disk_before_it_is_in_its_place(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int | None] = []

    def look(descriptor: int) -> None:
        sizes.append(os.fstat(descriptor).st_size if not path.exists() else None)

    monkeypatch.setattr(os, "fsync", look)
    put_file(path, b"text")
    assert sizes == [4, None]
