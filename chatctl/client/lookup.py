"""Looks up what was said, for the commands ``history`` and ``search``: prints it, and leaves."""

from __future__ import annotations

import re
import secrets
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from msgspec import Struct

from chatctl.client.connection import ChatClient
from chatctl.errors import ChatError, ConnectionFailed
from chatctl.framing import encode
from chatctl.messages import MAX_PAGE, Msg
from chatctl.names import MAX_NAME, check_room
from chatctl.text import one_line, parse_duration, visible

DEFAULT_LIMIT = 50
BROKEN_PIPE = 141  # what a shell says of a program that SIGPIPE ended

_ID = re.compile(r"\d{1,15}", re.ASCII)


class Since(Struct, frozen=True):
    """From where on messages are wanted: behind an id, or from a time on (milliseconds since the epoch)."""

    after: int | None = None
    at: int | None = None


def parse_since(text: str, now: float) -> Since:
    """Returns what ``2h``, ``2026-11-24``, ``2026-11-24T14:03`` or ``1234``, an id, mean.

    Args:
        text: a date or time is local, unless it says otherwise.
        now: seconds since the Unix epoch.

    Raises:
        ValueError: it is none of these.
    """
    if _ID.fullmatch(text):
        return Since(after=int(text))
    try:
        return Since(at=max(0, int((now - parse_duration(text)) * 1000)))
    except ValueError:
        pass
    try:
        return Since(at=max(0, int(datetime.fromisoformat(text).timestamp() * 1000)))
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{one_line(text)} is no time like 2h or 2026-11-24T14:03, and no id") from None


def show_history(
    connect: Callable[[str], ChatClient],
    name: str,
    room: str,
    since: Since | None,
    limit: int | None,
    *,
    as_json: bool,
) -> int:
    """Prints what was said in a room.

    Args:
        connect: returns a client of that name.
        name: to come in by; with something behind it where that is taken.
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
    with _come_in(connect, name) as client:
        pages = (
            _last(client, room, limit or DEFAULT_LIMIT) if since is None else _on(client, room, since, limit)
        )
        return _print(pages, f"nothing was said in #{room}", as_json=as_json)


def show_found(
    connect: Callable[[str], ChatClient],
    name: str,
    text: str,
    room: str | None,
    limit: int | None,
    *,
    as_json: bool,
) -> int:
    """Prints the messages that hold every word of `text`, the oldest first; as `show_history`."""
    with _come_in(connect, name) as client:
        found = client.search(text, None if room is None else check_room(room), limit=limit or DEFAULT_LIMIT)
        code = _print([found.messages[::-1]], "nothing was found", as_json=as_json, in_room=room is None)
        if found.more:
            _complain(f"there are older ones: --limit shows more than {len(found.messages)}")
        return code


def _come_in(connect: Callable[[str], ChatClient], name: str) -> ChatClient:
    try:
        return connect(name)
    except ConnectionFailed as failure:
        if failure.code != "name-taken":
            raise
        # Most likely it is the same person, who is there already.
        return connect(f"{name[: MAX_NAME - 9]}-{secrets.token_hex(4)}")


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
            _complain(f"what was said before #{room} {page.messages[0].id} is no longer kept")
        yield page.messages
        left -= len(page.messages)
        if not page.more:
            return
        after, at = page.messages[-1].id, None


# Printing


def _print(pages: Iterable[list[Msg]], nothing: str, *, as_json: bool, in_room: bool = False) -> int:
    count = 0
    write = _print_json if as_json else _print_lines
    try:
        for page in pages:
            write(page, in_room)
            count += len(page)
    except BrokenPipeError:
        sys.stdout = None
        return BROKEN_PIPE
    except OSError as error:
        raise ChatError(f"cannot write: {error.strerror}") from None
    if not count:
        _complain(nothing)
    return 0


def _print_json(messages: list[Msg], _in_room: bool) -> None:
    for message in messages:
        sys.stdout.buffer.write(encode(message))
    sys.stdout.buffer.flush()


def _print_lines(messages: list[Msg], in_room: bool) -> None:
    from rich.console import Console
    from rich.text import Text

    from chatctl.client.render import name_text

    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False, soft_wrap=True)
    for message in messages:
        head = Text(f"{_when(message.at)}  ")
        if in_room:
            head.append(f"#{one_line(message.room)}  ")
        action = message.kind == "action"
        head.append("* " if action else "").append_text(name_text(message.name)).append(
            " " if action else ": "
        )
        # Each line says whose it is, so that no text can pose as another's.
        for line in visible(message.text).split("\n"):
            console.print(head + Text(line))
    sys.stdout.flush()


def _when(at: int) -> str:
    """Returns the local time of `at`, with the date where it is not today."""
    try:
        then = time.localtime(at / 1000)
    except (OverflowError, ValueError, OSError):
        return "--:--"  # A time that no calendar has.
    today = then[:3] == time.localtime()[:3]
    return time.strftime("%H:%M" if today else "%Y-%m-%d %H:%M", then)


def _complain(text: str) -> None:
    print(f"chatctl: {text}", file=sys.stderr, flush=True)  # noqa: T201 - for people, not a log
