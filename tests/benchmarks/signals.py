"""How a benchmark that is stopped leaves no process behind."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


def end_tidily() -> None:
    """Makes SIGTERM an exception, as Ctrl-C is, which gets through every `finally`."""
    signal.signal(signal.SIGTERM, _exit)


@contextmanager
def held_back() -> Iterator[None]:
    """Holds Ctrl-C and SIGTERM back while a process is started and its end is arranged for.

    Within the call that starts it they would raise when the process is there but nobody knows it yet.
    """
    held: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda number, _: held.append(number)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for caught in held:
            signal.raise_signal(caught)


def _exit(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)
