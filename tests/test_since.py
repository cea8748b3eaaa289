"""From where on messages are wanted, as people say it."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatctl.since import Since, parse_since

NOON = datetime(2026, 11, 24, 12, 0)  # in the zone of whoever runs the tests, as the times below


def at(*when: int) -> Since:
    return Since(at=int(datetime(*when).timestamp() * 1000))  # type: ignore[arg-type]  # no time zone


@pytest.mark.parametrize(
    ("text", "since"),
    [
        ("2h", at(2026, 11, 24, 10)),
        ("9999w", Since(at=0)),
        ("17", Since(after=17)),
        ("2026-11-24", at(2026, 11, 24)),
        ("2026-11-24T14:03:05Z", Since(at=1_795_528_985_000)),
        ("1960-01-01", Since(at=0)),
        ("today", at(2026, 11, 24)),
        ("yesterday", at(2026, 11, 23)),
        ("11:59", at(2026, 11, 24, 11, 59)),
        ("12:00", at(2026, 11, 24, 12)),
        ("12:01", at(2026, 11, 23, 12, 1)),
        ("22:30", at(2026, 11, 23, 22, 30)),
        ("9:05", at(2026, 11, 24, 9, 5)),
        ("00:00", at(2026, 11, 24)),
    ],
)
def test_since(text: str, since: Since) -> None:
    assert parse_since(text, NOON.timestamp()) == since


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "-1",
        "2 h",
        "0h",
        "2026-13-01",
        "1" * 16,
        "24:00",
        "12:60",
        "12:5",
        "\u0661:00",
        "\x1b[2J",
    ],
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="is no time like") as caught:
        parse_since(text, 0)
    assert str(caught.value).isprintable()


@given(hour=st.integers(0, 23), minute=st.integers(0, 59), now=st.integers(10**9, 2 * 10**9))
def test_a_time_of_the_day_is_the_last_there_was(hour: int, minute: int, now: int) -> None:
    then = parse_since(f"{hour}:{minute:02}", now).at
    assert then is not None
    assert 0 <= now - then / 1000 < 25 * 3600  # A day in which the clocks are set back is longer.
