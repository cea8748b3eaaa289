"""What a person looks for in what was said: the questions to the server, and how answers are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

from chatctl.client.display.labels import room_label
from chatctl.client.display.shown import Heading
from chatctl.commands import UsageError
from chatctl.messages import MAX_PAGE, AskHistory, Found, Frame, History, Msg, Notice, Search
from chatctl.since import parse_since

DEFAULT_HISTORY = 50  # messages


class Inquiries:
    """The questions of one person that are not answered yet.

    Args:
        clock: returns seconds since the Unix epoch.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._numbers = count(1)
        self._asked: dict[int, str] = {}  # where one looks, by the number of the question

    def history(self, room: str, since: str) -> AskHistory:
        """Returns the question for what was said in a room.

        Args:
            room: the room.
            since: how many messages, or from where on, as a person writes it; empty for the last ones.

        Raises:
            UsageError: it is neither.
        """
        label = room_label(room)
        if not since or (since.isascii() and since.isdecimal()):
            limit = max(1, min(int(since[:9] or DEFAULT_HISTORY), MAX_PAGE))
            return AskHistory(room, limit=limit, n=self._number(f"at the end of {label}"))
        try:
            place = parse_since(since, self._clock())
        except ValueError as error:
            raise UsageError(f"/history [COUNT|TIME]: {error}") from None
        return AskHistory(room, since=place.at, limit=MAX_PAGE, n=self._number(f"of {label} since {since}"))

    def search(self, text: str) -> Search:
        """Returns the question for the messages that hold every word of `text`."""
        return Search(text, n=self._number(f"with “{text}”"))

    def _number(self, where: str) -> int:
        number = next(self._numbers)
        self._asked[number] = where
        return number

    def answers(self, answer: History | Found) -> bool:
        """Returns whether `answer` is to one of these."""
        return answer.re in self._asked

    def shown(self, answer: History | Found, draw: Callable[[Msg], Frame | None]) -> Iterator[Frame]:
        """Yields what was looked for, the oldest first.

        Args:
            answer: to one of these.
            draw: returns how a message is to be shown, if at all.
        """
        assert answer.re is not None, "that is how it was found"
        where = self._asked.pop(answer.re)
        oldest_first = answer.messages if isinstance(answer, History) else answer.messages[::-1]
        messages = [shown for message in oldest_first if (shown := draw(message))]
        if not messages:
            yield Notice(f"there are no messages {where}")
            return
        size = f"{len(messages)} message{'s' if len(messages) > 1 else ''} {where}"
        yield Heading(f"{size}, and there are more" if answer.more else size)
        yield from messages
        yield Heading("now")

    def forget(self, number: int) -> None:
        """Notes that a question was refused."""
        self._asked.pop(number, None)
