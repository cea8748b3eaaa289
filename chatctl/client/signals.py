"""What ends a command from outside, or in time, becomes an error where it is: for the main thread."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from chatctl.errors import NotInTime

BROKEN_PIPE = 141  # what a shell says of a program that SIGPIPE ended


class Interrupted(KeyboardInterrupt):
    """The command was told to end.

    Attributes:
        exit_code: what a shell says of a program that this signal ended.
        handled: what was being done then was done all the same.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.exit_code = 128 + number
        self.handled = False


@contextmanager
def interruptible() -> Iterator[None]:
    """Raises Interrupted on Ctrl-C or SIGTERM, once; the next one ends the process as if nothing was set."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # as a shell sets it for what runs in the background
            signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    for each in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(each) is _interrupt:
            signal.signal(each, signal.SIG_DFL)
    raise Interrupted(number)


@contextmanager
def within(seconds: float, failure: str) -> Iterator[None]:
    """Raises NotInTime, which says `failure`, once this takes longer than `seconds`, whatever it does."""

    def expire(_number: int, _frame: FrameType | None) -> None:
        raise NotInTime(failure)

    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
