"""What is answered to those who look up what was said: pages of a room's history, and searches."""

from __future__ import annotations

from collections.abc import Sequence

from chatctl.framing import encode
from chatctl.history.log import Log
from chatctl.messages import MAX_SERVER_FRAME, AskHistory, Found, Frame, Gap, History, Msg, Search
from chatctl.names import check_room
from chatctl.server.room import as_seen_by
from chatctl.text import check_text

MAX_ID = 2**53 - 1
MAX_PAGE_BYTES = MAX_SERVER_FRAME - 1024  # of the messages in one answer


def history(log: Log, asked: AskHistory, author: str) -> list[Frame]:
    """Returns the page `author` asked for; before it a gap, if some of what was asked for is no longer kept.

    Raises:
        Refused: ``bad-room``; ``storage``.
    """
    room = check_room(asked.room)
    forward = asked.after is not None or asked.since is not None
    page, more, gone = _page_on(log, room, asked) if forward else _page_back(log, room, asked)
    answer = History(room=room, messages=as_seen_by(author, page), more=more, re=asked.n)
    return [Gap(room, *gone), answer] if gone else [answer]


_Page = tuple[list[Msg], bool, tuple[int, int] | None]  # messages, whether there are more, what is gone


def _page_on(log: Log, room: str, asked: AskHistory) -> _Page:
    """Returns the first messages after an id or a time, the later of the two."""
    after = asked.after or 0
    start = after if asked.since is None else max(after, log.since(room, asked.since) - 1)
    messages = log.read(room, start, asked.limit)
    oldest, last = log.bounds(room)
    end = last + 1 if asked.before is None else min(asked.before, last + 1)
    page = _fit([message for message in messages if message.id < end])
    more = bool(page) and page[-1].id + 1 < end
    first = page[0].id if page else oldest
    return page, more, (start, first) if asked.since is None and start + 1 < first <= end else None


def _page_back(log: Log, room: str, asked: AskHistory) -> _Page:
    """Returns the last messages before an id, or the newest."""
    before = asked.before
    newest_first = log.read_back(room, MAX_ID if before is None else before, asked.limit)[::-1]
    page = _fit(newest_first)[::-1]
    oldest, last = log.bounds(room)
    end = last + 1 if before is None else min(before, last + 1)
    first = page[0].id if page else oldest
    return page, bool(page) and first > oldest, (0, oldest) if not page and end > 1 else None


def search(log: Log, asked: Search, author: str) -> Found:
    """Returns what `author` searched for.

    Raises:
        Refused: ``bad-room``, ``bad-text``; ``storage``.
    """
    check_text(asked.text)
    rooms = log.rooms() if asked.room is None else [check_room(asked.room)]
    found = log.search(asked.text, rooms, asked.limit + 1)
    page = _fit(found[: asked.limit])
    return Found(messages=as_seen_by(author, page), more=len(found) > len(page), re=asked.n)


def _fit(messages: Sequence[Msg]) -> list[Msg]:
    """Returns as many of the first messages as fit into one frame."""
    size = 0
    for place, message in enumerate(messages):
        size += len(encode(message))
        if size > MAX_PAGE_BYTES:
            return list(messages[:place])
    return list(messages)
