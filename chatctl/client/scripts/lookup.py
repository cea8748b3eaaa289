"""Looks up what was said, for the commands ``history`` and ``search``: prints it, and leaves."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from chatctl.client.access import Access
from chatctl.client.complaint import complain
from chatctl.client.connection import ChatClient
from chatctl.client.display.render import View
from chatctl.client.display.screen import choose_paint
from chatctl.client.scripts.output import as_bytes, json_lines, write
from chatctl.client.visitor import visit
from chatctl.messages import MAX_PAGE, Msg
from chatctl.names import check_room
from chatctl.since import Since

DEFAULT_LIMIT = 50

_HOW_MORE = "a higher --limit shows them"


def show_history(
    access: Access,
    room: str,
    since: Since | None,
    limit: int | None,
    *,
    as_json: bool,
) -> int:
    """Prints what was said in a room.

    Args:
        access: where to, and as whom.
        room: the room.
        since: from where on; None for the last messages.
        limit: messages, at most; None for all since then, or for the last 50.
        as_json: a frame of the protocol on each line.

    Returns:
        The exit code.

    Raises:
        ChatError: told in one line.
    """
    room = check_room(room)
    with visit(access, listen=False) as client:
        pages = (
            _last(client, room, limit or DEFAULT_LIMIT) if since is None else _on(client, room, since, limit)
        )
        nothing = f"nothing is kept of #{room}{'' if since is None else ' since then'}"
        return _print(pages, nothing, View(client.name, room), as_json=as_json)


def show_found(
    access: Access,
    text: str,
    room: str | None,
    limit: int | None,
    *,
    as_json: bool,
) -> int:
    """Prints the messages that hold every word of `text`, the oldest first; as `show_history`."""
    room = None if room is None else check_room(room)
    with visit(access, listen=False) as client:
        found = client.search(text, room, limit=limit or DEFAULT_LIMIT)
        view = View(client.name, room or "")
        code = _print([found.messages[::-1]], "nothing was found", view, as_json=as_json)
        if found.more:
            shown = len(found.messages)
            complain(f"there are older ones: {_HOW_MORE if shown < MAX_PAGE else 'more words find fewer'}")
        return code


def _last(client: ChatClient, room: str, limit: int) -> Iterator[list[Msg]]:
    """Yields the last messages, oldest first."""
    pages: list[list[Msg]] = []
    before: int | None = None
    while limit > 0:
        page = client.history(room, before=before, limit=min(limit, MAX_PAGE))
        pages.append(page.messages)
        limit -= len(page.messages)
        if not page.more:
            break
        before = page.messages[0].id
    yield from reversed(pages)


def _on(client: ChatClient, room: str, since: Since, limit: int | None) -> Iterator[list[Msg]]:
    """Yields the messages from a place on."""
    left = sys.maxsize if limit is None else limit
    after, at = since.after, since.at
    while left > 0:
        page = client.history(room, after=after, since=at, limit=min(left, MAX_PAGE))
        if page.messages and after is not None and page.messages[0].id > after + 1:
            complain(f"what was said before #{room} {page.messages[0].id} is no longer kept")
        yield page.messages
        left -= len(page.messages)
        if not page.more:
            return
        if not left:
            complain(f"there are later ones: {_HOW_MORE}")
        after, at = page.messages[-1].id, None


# Printing


def _print(pages: Iterable[list[Msg]], nothing: str, view: View, *, as_json: bool) -> int:
    count = 0
    paint = choose_paint()
    for page in pages:
        write(json_lines(page) if as_json else as_bytes("".join(paint(message, view) for message in page)))
        count += len(page)
    if not count:
        complain(nothing)
    return 0
