"""What stands at the bottom of the terminal: where one talks, what is unread elsewhere, what is not sent yet.

Makes fragments of text and style class, as prompt_toolkit takes them. No I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len, set_cell_size

from chatctl.client.display.labels import room_label
from chatctl.client.terminal.places import Place, Places
from chatctl.text import one_line

Fragments = list[tuple[str, str]]

LONGEST_ROOM = 12  # columns of its name; that of the room one talks in gets more where there is space
WAITING_SHOWN = 3  # lines of what waits to be sent
PATIENCE = 0.4  # seconds that a post may take before it is shown as waiting


def prompt(places: Places, state: str, columns: int) -> Fragments:
    """Returns what stands in front of what is typed.

    Args:
        places: the rooms one is in.
        state: of the connection; empty if there is nothing to say about it.
        columns: of the window: where it is narrow the other rooms get less of it.
    """
    # Of two rooms whose names begin alike one must see in which one one talks.
    longest = max(columns // 3, LONGEST_ROOM)
    room = room_label(_cut(one_line(places.focus), longest)) if places.focus else "(no room)"
    unread = [(number, place) for number, place in enumerate(places.all(), 1) if place.unread]
    if not unread:
        return [("class:prompt", f"{room}{state}> ")]
    # First the rooms in which one is called.
    unread.sort(key=lambda row: not row[1].called)
    news = _unread(unread, columns // 2)
    return [("class:prompt", f"{room} "), *news, ("class:prompt", f"{state}> ")]


def _unread(unread: Sequence[tuple[int, Place]], columns: int) -> Fragments:
    """Returns what is unread, room by room as far as they find space, and then in all others together."""
    shown = [_in_room(number, place) for number, place in unread]
    for fitting in range(len(shown), -1, -1):
        parts = shown[:fitting]
        if fitting < len(shown):
            parts.append(_in_all([place for _, place in unread[fitting:]]))
        if not fitting or sum(2 + sum(cell_len(text) for _, text in part) for part in parts) <= columns:
            break
    return _listed(parts)


def _listed(parts: Iterable[Fragments]) -> Fragments:
    fragments: Fragments = []
    for part in parts:
        fragments += [("class:prompt", ", " if fragments else "["), *part]
    return [*fragments, ("class:prompt", "]")]


def _in_room(number: int, place: Place) -> Fragments:
    label = _cut(one_line(place.room), LONGEST_ROOM)
    return _counts(f"{number}:{label} ", place.unread, place.called)


def _in_all(places: Iterable[Place]) -> Fragments:
    unread, called = map(sum, zip(*((place.unread, place.called) for place in places), strict=True))
    return _counts("+", unread, called)


def _counts(label: str, unread: int, called: int) -> Fragments:
    """Returns how much is unread, and after an ``@`` how much of it names the reader."""
    fragments = [("class:unread", f"{label}{unread}")]
    return [*fragments, ("class:unread-mention", f" @{called}")] if called else fragments


def waiting(texts: Sequence[str], columns: int) -> Fragments:
    """Returns a line for each of the first posts that wait to be taken by the server."""
    lines = [f"… {one_line(text)}" for text in texts[:WAITING_SHOWN]]
    if more := len(texts) - len(lines):
        lines.append(f"… and {more} more")
    return [("class:waiting", f"{_cut(line, max(columns - 1, 1))}\n") for line in lines]


def _cut(line: str, columns: int) -> str:
    return line if cell_len(line) <= columns else f"{set_cell_size(line, columns - 1)}…"


class Patience:
    """Which posts have been waiting for so long that it is worth telling."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def worn_out(self, nonces: Iterable[str], now: float) -> list[str]:
        """Returns those of `nonces`, of all posts that wait, that have done so for long.

        Args:
            nonces: in order.
            now: seconds, from any start.
        """
        self._since = {nonce: self._since.get(nonce, now) for nonce in nonces}
        return [nonce for nonce, since in self._since.items() if now - since >= PATIENCE]
