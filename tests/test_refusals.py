"""What is logged of those who do not come in, by a clock that the test moves."""

from __future__ import annotations

import logging

import pytest

from chatctl.server.refusals import MOST_SOURCES, Refusals
from tests.clock import Clock


@pytest.fixture(autouse=True)
def _all(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def test_the_first_is_logged_and_the_others_counted(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    refusals = Refusals(clock)
    for _ in range(1000):
        refusals.note("10.0.0.1", "rate-limited: too many")
        refusals.sum_up()
    refusals.note("10.0.0.2", "server-full: full")
    assert caplog.messages == [
        "a connection ended (10.0.0.1): rate-limited: too many",
        "a connection ended (10.0.0.2): server-full: full",
    ]
    caplog.clear()
    clock.now += 60
    refusals.sum_up()
    refusals.sum_up()
    assert caplog.messages == ["999 more connections ended (10.0.0.1)"]
    refusals.note("10.0.0.1", "rate-limited: too many")
    assert len(caplog.messages) == 2


def test_a_network_of_ipv6_is_one_source(caplog: pytest.LogCaptureFixture) -> None:
    refusals = Refusals(Clock())
    for number in range(1, 100):
        refusals.note(f"2001:db8::{number:x}", "no")
    assert caplog.messages == ["a connection ended (2001:db8::1): no"]


def test_many_sources_are_few_lines(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    refusals = Refusals(clock)
    for number in range(10_000):
        refusals.note(f"10.0.{number // 256}.{number % 256}", "no")
    assert len(caplog.messages) == MOST_SOURCES
    clock.now += 61
    refusals.sum_up()
    assert caplog.messages[MOST_SOURCES:] == ["9900 more connections ended, from other addresses"]
