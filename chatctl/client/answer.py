"""What a server will answer to one frame: lighter than a `Future`, as there is one for each post."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

A = TypeVar("A")


class Answer(Generic[A]):
    """An answer that is there already, or will be.

    Args:
        wait: waits until a condition holds, or for so many seconds; returns whether it does.
    """

    __slots__ = ("_error", "_value", "_wait")

    def __init__(self, wait: Callable[[Callable[[], bool], float | None], bool]) -> None:
        self._wait = wait
        self._value: A | None = None
        self._error: Exception | None = None

    def done(self) -> bool:
        """Returns whether it is there."""
        return self._value is not None or self._error is not None

    def result(self, timeout: float | None = None) -> A:
        """Waits for the answer, and returns it.

        Args:
            timeout: seconds to wait; None for as long as it takes.

        Raises:
            Refused: the server does not do what was asked.
            ConnectionFailed: the connection is over.
            TimeoutError: there was no answer in time.
        """
        if not self.done() and not self._wait(self.done, timeout):
            raise TimeoutError("the server did not answer in time")
        if self._value is None:
            assert self._error is not None, "it is done"
            raise self._error
        return self._value

    def settle(self, value: A) -> None:
        """Notes the answer; the caller wakes those who wait."""
        self._value = value

    def fail(self, error: Exception) -> None:
        """Notes why there is none; the caller wakes those who wait."""
        self._error = error
