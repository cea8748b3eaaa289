"""What is answered to those who look up what was said: pages of a room's history, and searches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from chatctl.access.opened import AccessBook
from chatctl.framing import encode
from chatctl.history.log import Log
from chatctl.messages import MAX_ID, MAX_SERVER_FRAME, AskHistory, Found, Frame, Gap, History, Msg, Search
from chatctl.names import check_room
from chatctl.server import permissions
from chatctl.server.room import as_seen_by
from chatctl.text import MAX_TEXT, check_text


class Reader(permissions.Asker, Protocol):
    """Somebody who looks something up.

    Attributes:
        author: their name as `names.fold` makes it.
    """

    author: str


MAX_PAGE_BYTES = MAX_SERVER_FRAME - 1024  # of the messages in one answer
STEP = MAX_PAGE_BYTES // MAX_TEXT  # messages read at once, which fit however long: others want the log too


def history(log: Log, book: AccessBook, asked: AskHistory, asker: Reader) -> list[Frame]:
    """Returns the page that was asked for; before it a gap, if some of it is no longer kept.

    Raises:
        Refused: ``bad-room``; ``forbidden``; ``storage``.
    """
    room = check_room(asked.room)
    if not permissions.sees_open(book, asker, room):
        return [History(room=room, messages=[], more=False, re=asked.n)]
    forward = asked.after is not None or asked.since is not None
    page, more, gone = _page_on(log, room, asked) if forward else _page_back(log, room, asked)
    answer = History(room=room, messages=as_seen_by(asker.author, page), more=more, re=asked.n)
    return [Gap(room, *gone), answer] if gone else [answer]


_Page = tuple[list[Msg], bool, tuple[int, int] | None]  # messages, whether there are more, what is gone


def _page_on(log: Log, room: str, asked: AskHistory) -> _Page:
    """Returns the first messages after an id or a time, the later of the two."""
    after = asked.after or 0
    start = after if asked.since is None else max(after, log.since(room, asked.since) - 1)
    messages = _gather(lambda last, count: _read_on(log, room, start, last, count), asked.limit)
    oldest, last = log.bounds(room)
    end = last + 1 if asked.before is None else min(asked.before, last + 1)
    page = [message for message in messages if message.id < end]
    more = bool(page) and page[-1].id + 1 < end
    first = page[0].id if page else min(oldest, end)
    return page, more, (start, first) if asked.since is None and start + 1 < first else None


def _page_back(log: Log, room: str, asked: AskHistory) -> _Page:
    """Returns the last messages before an id, or the newest."""
    before = asked.before
    start = MAX_ID if before is None else before
    newest_first = _gather(lambda last, count: _read_back(log, room, start, last, count), asked.limit)
    page = newest_first[::-1]
    oldest, last = log.bounds(room)
    end = last + 1 if before is None else min(before, last + 1)
    first = page[0].id if page else oldest
    return page, bool(page) and first > oldest, (0, oldest) if not page and end > 1 else None


def _read_on(log: Log, room: str, start: int, last: Msg | None, count: int) -> list[Msg]:
    found = log.read(room, last.id if last else start, count)
    # What stood in between may have been dropped meanwhile: whoever asks on from there is told.
    return [] if last and found and found[0].id != last.id + 1 else found


def _read_back(log: Log, room: str, start: int, last: Msg | None, count: int) -> list[Msg]:
    return log.read_back(room, last.id if last else start, count)[::-1]


def _gather(read: Callable[[Msg | None, int], list[Msg]], limit: int) -> list[Msg]:
    """Returns messages, at most `limit`, and as many as fit into one frame.

    Args:
        read: returns at most so many, from behind the one that it is given; or from the first on.
        limit: messages, at most.
    """
    page: list[Msg] = []
    size = 0
    while len(page) < limit:
        found = read(page[-1] if page else None, min(STEP, limit - len(page)))
        for message in found:
            size += len(encode(message))
            if size > MAX_PAGE_BYTES:
                return page
            page.append(message)
        if len(found) < STEP:
            break
    return page


def search(log: Log, book: AccessBook, asked: Search, asker: Reader) -> Found:
    """Returns what was searched for, in the rooms that may be read.

    Raises:
        Refused: ``bad-room``, ``bad-text``; ``forbidden``; ``storage``.
    """
    check_text(asked.text)
    rooms = _readable(log, book, asked.room, asker)
    found = log.search(asked.text, rooms, asked.limit + 1)
    page = _fit(found[: asked.limit])
    return Found(messages=as_seen_by(asker.author, page), more=len(found) > len(page), re=asked.n)


def _readable(log: Log, book: AccessBook, name: str | None, asker: Reader) -> list[str]:
    if name is None:
        return [room for room in log.rooms() if permissions.may_read(book, asker, room)]
    room = check_room(name)
    return [room] if permissions.sees_open(book, asker, room) else []


def _fit(messages: Sequence[Msg]) -> list[Msg]:
    """Returns as many of the first messages as fit into one frame."""
    size = 0
    for place, message in enumerate(messages):
        size += len(encode(message))
        if size > MAX_PAGE_BYTES:
            return list(messages[:place])
    return list(messages)
