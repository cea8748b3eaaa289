"""The file by which commands find the server that runs on a data directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatctl.access import address
from chatctl.access.address import Address

HERE = Address("0.0.0.0", 12345, "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU")


def test_what_was_written_is_read(tmp_path: Path) -> None:
    address.write(tmp_path, HERE)
    assert address.read(tmp_path) == HERE
    address.write(tmp_path, Address("::1", 1))
    assert address.read(tmp_path) == Address("::1", 1)
    assert [path.name for path in tmp_path.iterdir()] == [address.FILE]


def test_only_the_user_can_read_it(tmp_path: Path) -> None:
    address.write(tmp_path, HERE)
    assert (tmp_path / address.FILE).stat().st_mode & 0o777 == 0o600


def test_what_was_removed_is_gone(tmp_path: Path) -> None:
    address.write(tmp_path, HERE)
    address.remove(tmp_path)
    address.remove(tmp_path)
    assert address.read(tmp_path) is None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"[]", b'{"host": 1, "port": 2}', b'{"host":"x"', b"\xff"])
def test_what_makes_no_sense_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / address.FILE).write_bytes(content)
    assert address.read(tmp_path) is None
