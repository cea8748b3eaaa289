"""Pages of what was said: read in steps, as much as fits, whatever is dropped meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from chatctl.access.opened import AccessBook
from chatctl.framing import encode
from chatctl.history.log import Log, Post
from chatctl.history.memory import MemoryLog
from chatctl.history.sqlite import SqliteLog
from chatctl.messages import MAX_PAGE, MAX_SERVER_FRAME, AskHistory, History, Msg
from chatctl.server import lookup
from chatctl.server.api.caller import Caller
from chatctl.server.proof import Proof
from chatctl.text import MAX_TEXT

SAID = 3 * lookup.STEP + 10


@pytest.fixture(params=["memory", "disk"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Log]:
    with closing(MemoryLog() if request.param == "memory" else SqliteLog(tmp_path)) as log:
        yield log


def say(log: Log, count: int, text: str) -> None:
    log.append("lobby", [Post("ann", "ann", text, "text", None)] * count)


def page(
    log: Log, limit: int = MAX_PAGE, *, after: int | None = None, before: int | None = None
) -> tuple[list[int], bool]:
    """Returns the ids of a page, and whether there are more."""
    book = AccessBook(None)
    asked = AskHistory("lobby", after=after, before=before, limit=limit)
    frames = lookup.history(log, book, asked, Caller(book, "bob", "127.0.0.1", Proof()))
    assert len(encode(frames[-1])) <= MAX_SERVER_FRAME
    (answer,) = [frame for frame in frames if isinstance(frame, History)]
    return [message.id for message in answer.messages], answer.more


def ids(first: int, last: int) -> list[int]:
    return list(range(first, last + 1))


@pytest.mark.parametrize("limit", [1, lookup.STEP - 1, lookup.STEP, lookup.STEP + 1, MAX_PAGE])
def test_as_many_as_were_asked_for(log: Log, limit: int) -> None:
    say(log, SAID, "hi")
    last = min(limit, SAID)
    assert page(log, limit) == (ids(SAID - last + 1, SAID), last < SAID)
    assert page(log, limit, after=0) == (ids(1, last), last < SAID)
    assert page(log, limit, after=5, before=9) == (ids(6, min(8, 5 + limit)), limit < 3)
    assert page(log, limit, before=9) == (ids(max(1, 9 - limit), 8), limit < 8)


def test_as_many_as_fit(log: Log) -> None:
    say(log, SAID, "x" * MAX_TEXT)
    found, more = page(log, after=0)
    assert (found, more) == (ids(1, len(found)), True)
    assert lookup.STEP - 10 < len(found) < lookup.STEP
    assert page(log) == (ids(SAID - len(found) + 1, SAID), True)


class Forgetful(MemoryLog):
    """A log that drops what is oldest whenever it is read."""

    def __init__(self) -> None:
        super().__init__()
        self._dropped = 0

    def read(self, room: str, after: int, limit: int) -> list[Msg]:
        found = super().read(room, max(after, self._dropped), limit)
        self._dropped += 2 * lookup.STEP
        return found


def test_what_is_dropped_meanwhile_ends_the_page() -> None:
    log = Forgetful()
    say(log, SAID, "hi")
    assert page(log, after=0) == (ids(1, lookup.STEP), True)
