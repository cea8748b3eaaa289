"""What the formats write: rooms and their messages, wherever these come from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

from chatctl.messages import Msg, Topic


class Room(Protocol):
    """What is known of one room besides its messages."""

    @property
    def name(self) -> str:
        """As `names.check_room` returns it."""

    @property
    def topic(self) -> Topic | None:
        """As it was set last, perhaps to nothing; None if it never was. Its name is empty if not known."""

    @property
    def oldest(self) -> int:
        """The oldest id that is kept."""

    @property
    def count(self) -> int:
        """How many messages are kept."""


R = TypeVar("R", bound=Room)


class Source(Protocol[R]):
    """A history that can be written."""

    @property
    def rooms(self) -> Sequence[R]:
        """Its rooms, in the order in which they are written."""

    def messages(self, room: R) -> Iterator[list[Msg]]:
        """Yields the messages of `room`, some at a time, oldest first."""
