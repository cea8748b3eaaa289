"""Who makes place while the server waits for many, by a clock that the test moves."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from chatctl.server.doorstep import PLACES, SILENT_SECONDS, SLOW_SECONDS, Doorstep
from tests.clock import Clock
from tests.helpers import SECONDS


@dataclass(eq=False)
class Caller:
    """Stands in for a session."""

    started: float
    heard: float
    served: bool = False


def crowd(clock: Clock, places: int = 4) -> tuple[Doorstep[Caller], list[Caller]]:
    """Returns a doorstep that is full, of callers that came one after the other and say nothing."""
    doorstep: Doorstep[Caller] = Doorstep(places, clock)
    callers = []
    for _ in range(places):
        assert doorstep.has_place()
        callers.append(Caller(clock.now, clock.now))
        doorstep.wait_for(callers[-1])
        clock.now += 0.01
    assert not doorstep.has_place()
    return doorstep, callers


def test_there_are_64_places() -> None:
    assert PLACES == 64
    crowd(Clock(), 64)


def test_the_oldest_that_is_silent_makes_place() -> None:
    clock = Clock()
    doorstep, callers = crowd(clock)
    assert doorstep.give_up_one() is None
    clock.now = callers[1].started + SILENT_SECONDS + 0.001
    assert doorstep.give_up_one() is callers[0]
    assert doorstep.has_place()
    assert doorstep.give_up_one() is callers[1]
    assert doorstep.give_up_one() is None


def test_one_that_was_heard_lately_may_stay_though_it_is_older() -> None:
    clock = Clock()
    doorstep, callers = crowd(clock)
    clock.now += SILENT_SECONDS
    callers[0].heard = callers[1].heard = clock.now
    assert doorstep.give_up_one() is callers[2]


def test_one_that_was_answered_makes_place_at_once() -> None:
    clock = Clock()
    doorstep, callers = crowd(clock)
    callers[2].served = True
    assert doorstep.give_up_one() is callers[2]
    assert doorstep.give_up_one() is None


def test_one_that_says_little_for_long_makes_place_too() -> None:
    clock = Clock()
    doorstep, callers = crowd(clock)
    for _ in range(int(SLOW_SECONDS / 0.25) - 1):
        clock.now += 0.25
        for caller in callers:
            caller.heard = clock.now
        assert doorstep.give_up_one() is None
    clock.now += 0.3
    callers[0].heard = callers[1].heard = callers[2].heard = callers[3].heard = clock.now
    assert doorstep.give_up_one() is callers[0]


def test_one_that_is_worked_on_takes_no_place() -> None:
    clock = Clock()
    doorstep, callers = crowd(clock)
    assert doorstep.leave(callers[2])
    assert doorstep.has_place()
    clock.now += 10
    assert callers[2] not in [doorstep.give_up_one() for _ in range(4)]
    doorstep.wait_for(callers[2])
    assert doorstep.give_up_one() is callers[2]


def test_one_that_was_given_up_learns_it() -> None:
    clock = Clock()
    doorstep, callers = crowd(clock)
    clock.now += 1
    assert doorstep.give_up_one() is callers[0]
    assert not doorstep.leave(callers[0])
    assert doorstep.leave(callers[1])
    assert not doorstep.leave(callers[1])
    assert len(doorstep) == 2


def test_a_place_that_becomes_free_is_seen_at_once() -> None:
    doorstep, callers = crowd(Clock())
    waiting = threading.Timer(0.1, doorstep.leave, [callers[3]])
    waiting.start()
    doorstep.wait_for_place(SECONDS)
    assert doorstep.has_place()
    waiting.join()
