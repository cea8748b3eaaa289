"""What is remembered under a nonce, and for how long."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatctl.history.log import REMEMBERED_SECONDS
from chatctl.history.nonces import RecentNonces

AUTHORS = ["ann", "bob"]
NONCES = ["1", "2", "3"]


def test_ten_minutes() -> None:
    assert REMEMBERED_SECONDS == 600


@pytest.mark.parametrize(
    ("seconds", "remembered"),
    [(0, True), (1, True), (599.9, True), (600, True), (600.1, False), (1e6, False)],
)
def test_remembered_for_ten_minutes(seconds: float, remembered: bool) -> None:
    nonces: RecentNonces[int] = RecentNonces()
    nonces.put("ann", "1", 7, 1000.0)
    assert nonces.get("ann", "1", 1000.0 + seconds) == (7 if remembered else None)


def test_authors_have_nonces_of_their_own() -> None:
    nonces: RecentNonces[int] = RecentNonces()
    nonces.put("ann", "1", 7, 0.0)
    assert nonces.get("bob", "1", 0.0) is None
    assert nonces.get("ann", "2", 0.0) is None
    assert nonces.get("1", "ann", 0.0) is None


def test_put_again_counts_from_then_on() -> None:
    nonces: RecentNonces[int] = RecentNonces(capacity=2)
    nonces.put("ann", "1", 7, 0.0)
    nonces.put("ann", "2", 8, 10.0)
    nonces.put("ann", "1", 9, 500.0)
    assert nonces.get("ann", "1", 1100.0) == 9
    nonces.put("ann", "3", 10, 500.0)  # makes the oldest go, which is now the second
    assert nonces.get("ann", "2", 500.0) is None
    assert nonces.get("ann", "1", 500.0) == 9


def test_the_oldest_make_room() -> None:
    nonces: RecentNonces[int] = RecentNonces(capacity=3)
    for number in range(5):
        nonces.put("ann", str(number), number, 0.0)
    assert [nonces.get("ann", str(number), 0.0) for number in range(5)] == [None, None, 2, 3, 4]


def test_what_expired_is_not_kept() -> None:
    nonces: RecentNonces[int] = RecentNonces()
    for number in range(100):
        nonces.put("ann", str(number), number, float(number))
    nonces.put("bob", "x", 0, 10_000.0)
    assert len(nonces._entries) == 1


@settings(deadline=None, database=None)
@given(st.lists(st.tuples(st.sampled_from(AUTHORS), st.sampled_from(NONCES), st.floats(0, 400)), max_size=40))
def test_like_a_list_of_all_that_was_put(puts: list[tuple[str, str, float]]) -> None:
    nonces: RecentNonces[int] = RecentNonces()
    written: dict[tuple[str, str], tuple[float, int]] = {}
    now = 0.0
    for value, (author, nonce, pause) in enumerate(puts):
        now += pause
        nonces.put(author, nonce, value, now)
        written[author, nonce] = (now, value)
        for (who, which), (at, what) in written.items():
            assert nonces.get(who, which, now) == (what if now - at <= REMEMBERED_SECONDS else None)
