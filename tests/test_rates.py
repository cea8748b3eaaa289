"""How often somebody may ask, by a clock that the test moves."""

from __future__ import annotations

from chatctl.server.api import rates
from chatctl.server.api.rates import Rates
from tests.clock import Clock


def test_each_name_at_each_address_has_a_rate_of_its_own() -> None:
    clock = Clock()
    limits = Rates(2, 3, clock)
    assert [limits.take("192.0.2.1", "bot") for _ in range(4)] == [0, 0, 0, 0.5]
    assert limits.take("192.0.2.1", "eve") == 0
    assert limits.take("192.0.2.2", "bot") == 0
    clock.now += 0.5
    assert limits.take("192.0.2.1", "bot") == 0
    assert limits.take("192.0.2.1", "bot") == 0.5


def test_no_limit() -> None:
    limits = Rates(0, 1, Clock())
    assert {limits.take("192.0.2.1", "bot") for _ in range(100)} == {0}


def test_only_so_many_are_remembered() -> None:
    limits = Rates(1, 1, Clock())
    assert limits.take("192.0.2.1", "first") == 0
    for number in range(rates.MOST - 1):
        assert limits.take("192.0.2.1", f"{number}") == 0
    assert limits.take("192.0.2.1", "first") == 1
    assert limits.take("192.0.2.1", "another") == 0
    # The one that was silent longest is the one that was forgotten.
    assert limits.take("192.0.2.1", "first") == 1
    assert limits.take("192.0.2.1", "0") == 0
