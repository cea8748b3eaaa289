"""From bytes to lines: however they are cut, and however long they are."""

from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatctl.client.lines import read_lines, read_text

LIMIT = 10


def lines(pieces: list[bytes]) -> list[str]:
    return list(chain.from_iterable(read_lines(iter([*pieces, b""]).__next__, LIMIT)))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"a", ["a"]),
        (b"a\nb\r\n\nc", ["a", "b", "", "c"]),
        (b"\xff\xe4\xbd", ["\ufffd\ufffd"]),
        (b"\r\r\n", ["\r"]),
    ],
)
def test_lines(data: bytes, expected: list[str]) -> None:
    assert lines([data] if data else []) == expected


@given(st.lists(st.binary(min_size=1, max_size=6)))
def test_it_does_not_matter_how_lines_are_cut(pieces: list[bytes]) -> None:
    whole = lines([data] if (data := b"".join(pieces)) else [])
    assert [line[:LIMIT] for line in lines(pieces)] == [line[:LIMIT] for line in whole]


def test_lines_that_came_at_once_come_at_once() -> None:
    assert list(read_lines(iter([b"a\nb\nc", b"d\n", b""]).__next__, LIMIT)) == [["a", "b"], ["cd"]]


def test_a_line_without_end_takes_no_room() -> None:
    (line,) = lines([b"x" * 1_000] * 1_000)
    assert LIMIT < len(line) < 2_000


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", ""),
        (b"a\n", "a"),
        (b"a\n\n", "a\n"),
        (b"a\r\nb\r\n", "a\nb"),
        (b"\xff", "\ufffd"),
        (b"\r", "\r"),
    ],
)
def test_texts(data: bytes, expected: str) -> None:
    assert read_text(iter([*([data] if data else []), b""]).__next__, LIMIT) == expected


def test_a_text_without_end_is_not_read_to_its_end() -> None:
    assert LIMIT < len(read_text(lambda: b"x" * 100, LIMIT)) < 200


@given(st.text(max_size=LIMIT))
def test_a_text_that_fits_is_whole(text: str) -> None:
    data = text.replace("\r", "").encode()
    pieces = [data[place : place + 1] for place in range(len(data))]
    assert read_text(iter([*pieces, b""]).__next__, 4 * LIMIT) == text.replace("\r", "").removesuffix("\n")
