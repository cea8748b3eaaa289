"""What moderators do, in words. No I/O."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

from chatctl.client.display.labels import local_time, name_text, room_label
from chatctl.client.display.themes import Palette
from chatctl.deeds import DEEDS, OF_A_ROOM
from chatctl.messages import Ban, Bans, Mode, Moderated
from chatctl.names import fold
from chatctl.text import one_line

BANS_SHOWN = 200  # drawing more would keep the one who types waiting
FOR_GOOD = "for good"

_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def deed(event: Moderated, you: str, palette: Palette) -> Text:
    """Returns what was done about whom.

    Args:
        event: says it.
        you: the name of the one who reads.
        palette: the colours.
    """
    before, behind = DEEDS[event.what]
    body = name_text(event.name, palette).append(f" {before} ")
    body.append_text(Text("you") if fold(event.whom) == fold(you) else name_text(event.whom, palette))
    body.append(behind)
    if event.room is not None and event.what in OF_A_ROOM:
        body.append(f" {room_label(event.room)}")
    if event.until is not None:
        body.append(f" for {length((event.until - event.at) / 1000)}")
    return body.append(f": {one_line(event.reason)}") if event.reason else body


def length(seconds: float) -> str:
    """Returns a time span in the largest unit in which it is whole: ``90 min``."""
    whole = max(round(seconds), 0)
    size, unit = next(((size, unit) for size, unit in _UNITS if whole and not whole % size), _UNITS[-1])
    return f"{whole // size} {unit}"


def bans(event: Bans) -> Text:
    """Returns who is banned or muted, one a line, in columns."""
    if not event.bans:
        return Text("nobody is banned or muted")
    lines = _columns([_row(ban) for ban in event.bans[:BANS_SHOWN]])
    if more := len(event.bans) - len(lines):
        lines.append(f"… and {more} more")
    return Text("\n".join(lines))


def _row(ban: Ban) -> list[str]:
    until = FOR_GOOD if ban.until is None else f"until {moment(ban.until)}"
    reason = f": {one_line(ban.reason)}" if ban.reason else ""
    what = "banned" if ban.what == "ban" else "muted"
    return [one_line(ban.whom), what, until, f"by {one_line(ban.name)}{reason}"]


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Returns the rows as lines, whose last cells begin in the same column."""
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    widths[-1] = 0
    return ["  ".join(_padded(*cell) for cell in zip(row, widths, strict=True)) for row in rows]


def _padded(cell: str, width: int) -> str:
    return cell + " " * (width - cell_len(cell))


def moment(at: int) -> str:
    """Returns the local time of `at`, milliseconds since the Unix epoch."""
    return local_time(at, "%Y-%m-%d %H:%M") or "a time that no calendar has"


def mode(event: Mode, palette: Palette) -> Text:
    """Returns what is allowed in a room, and who said so."""
    choices = {
        "invite-only": event.invite_only,
        "hidden": event.hidden,
        "read-only": event.read_only,
        "topic-locked": event.topic_locked,
    }
    words = ", ".join(word for word, chosen in choices.items() if chosen) or "open to everybody"
    room = room_label(event.room)
    if event.name is None:
        return Text(f"{room} is {words}")
    return name_text(event.name, palette).append(f" changed {room}: it is {words}")
