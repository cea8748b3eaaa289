"""What penalties come to, and that nobody can make the server remember too much."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatctl.server.penalties import LIMIT, LONGEST, Offence, Penalties
from chatctl.server.sums import Sums
from tests.clock import Clock


def offend(penalties: Penalties, offence: Offence, times: int, source: str = "a") -> list[float]:
    """Returns for how long each time blocks, where it does."""
    return [seconds for _ in range(times) if (seconds := penalties.add(source, offence))]


@pytest.mark.parametrize(
    ("offence", "times"),
    [(Offence.WRONG_SECRET, 10), (Offence.BROKEN, 50), (Offence.CROWDING, 50), (Offence.SILENCE, 50)],
)
def test_so_many_are_too_many(offence: Offence, times: int) -> None:
    penalties = Penalties(Clock())
    assert offend(penalties, offence, times - 1) == []
    assert not penalties.blocked("a")
    assert offend(penalties, offence, 1) == [50]
    assert penalties.blocked("a") == 50
    assert not penalties.blocked("b")


def test_offences_of_all_kinds_add_up() -> None:
    penalties = Penalties(Clock())
    assert offend(penalties, Offence.WRONG_SECRET, 9) == []
    assert offend(penalties, Offence.BROKEN, 4) == []
    assert offend(penalties, Offence.SILENCE, 1) == [50]


def test_time_takes_them_away() -> None:
    clock = Clock()
    penalties = Penalties(clock)
    for _ in range(200):
        assert offend(penalties, Offence.WRONG_SECRET, 1) == []
        clock.now += 5
    assert offend(penalties, Offence.WRONG_SECRET, 9) == []


def test_who_goes_on_is_blocked_for_longer_up_to_ten_minutes() -> None:
    clock = Clock()
    penalties = Penalties(clock)
    blocks = []
    for _ in range(7):
        blocks += offend(penalties, Offence.WRONG_SECRET, 10)[:1]
        clock.now += penalties.blocked("a") + 0.1
        assert not penalties.blocked("a")
    assert blocks == pytest.approx([50, 100, 200, 400, 600, 600, 600], abs=1)


def test_after_a_while_it_begins_anew() -> None:
    clock = Clock()
    penalties = Penalties(clock)
    assert offend(penalties, Offence.WRONG_SECRET, 10) == [50]
    clock.now += 150
    assert offend(penalties, Offence.WRONG_SECRET, 10) == [50]
    clock.now += 51
    assert offend(penalties, Offence.WRONG_SECRET, 1) == [pytest.approx(99)]


@settings(deadline=None, database=None)
@given(
    st.lists(st.tuples(st.sampled_from(Offence), st.integers(1, 300), st.floats(0, 700)), max_size=20),
)
def test_a_block_ends_within_ten_minutes(steps: list[tuple[Offence, int, float]]) -> None:
    clock = Clock()
    penalties = Penalties(clock)
    for offence, times, pause in steps:
        offend(penalties, offence, times)
        assert 0 <= penalties.blocked("a") <= LONGEST + 1e-6
        clock.now += pause
    clock.now += LONGEST + 1
    assert not penalties.blocked("a")
    assert penalties.add("a", Offence.BROKEN) == 0 or penalties._sums.get("a") >= LIMIT


# What is remembered


def test_the_smallest_sums_go_first() -> None:
    clock = Clock()
    sums = Sums(clock, most=32)
    for number in range(1, 33):
        sums.set(str(number), number)
    assert len(sums) == 32
    sums.set("new", 100)
    assert len(sums) == 30
    assert (sums.get("new"), sums.get("32"), sums.get("4")) == (100, 32, 4)
    assert not any(sums.get(str(number)) for number in (1, 2, 3))


def test_what_is_over_goes_before_that() -> None:
    clock = Clock()
    sums = Sums(clock, most=32)
    for number in range(1, 33):
        sums.set(str(number), number)
    clock.now += 20
    sums.set("new", 1)
    assert len(sums) == 13
    assert (sums.get("new"), sums.get("21"), sums.get("20")) == (1, 1, 0)


def test_nobody_makes_the_server_remember_more_than_so_much() -> None:
    penalties = Penalties(Clock(), most=1000)
    offend(penalties, Offence.WRONG_SECRET, 10, "the worst")
    for number in range(50_000):
        penalties.add(str(number), Offence.BROKEN)
        assert len(penalties._sums) <= 1000
    assert penalties.blocked("the worst")


@settings(deadline=None, database=None)
@given(st.lists(st.tuples(st.integers(0, 99), st.floats(-5, 100), st.floats(0, 20)), max_size=100))
def test_sums_are_what_was_set_less_the_time_since(steps: list[tuple[int, float, float]]) -> None:
    clock = Clock()
    sums = Sums(clock, most=40)
    expected: dict[str, float] = {}
    for number, seconds, pause in steps:
        sums.set(str(number), seconds)
        expected[str(number)] = clock.now + seconds
        clock.now += pause
        assert len(sums) <= 40
    for source, over in expected.items():
        assert sums.get(source) in (0, pytest.approx(max(0, over - clock.now), abs=1e-6))
