"""Standard output of a command for scripts: frames of the protocol, or lines for people, as they come."""

from __future__ import annotations

import re
import select
import sys
import threading
from collections.abc import Callable, Sequence
from functools import cache
from io import FileIO

from chatctl.errors import ChatError
from chatctl.framing import encode_all
from chatctl.messages import Frame

STDOUT = 1
CLOSED = select.POLLERR | select.POLLHUP
# What JSON does not escape and `text.visible` does. Tag characters, which are invisible and no more, stay.
_UNSHOWN = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufff9-\ufffb]")


class Output:
    """Writes without a buffer, so that nothing is left to be written when the command is interrupted.

    Args:
        rooms: that the frames come from, as `names.check_room` returns them.
        as_json: prints each frame as a line of JSON.

    Attributes:
        closed: nobody reads it any more.
    """

    def __init__(self, rooms: Sequence[str], *, as_json: bool) -> None:
        self._encode = json_lines if as_json else _painter(rooms)
        self.closed = False

    def show(self, frames: Sequence[Frame]) -> None:
        """Writes frames.

        Raises:
            BrokenPipeError: nobody reads it any more.
            ChatError: it cannot be written.
        """
        write(self._encode(frames))

    def watch(self, closed: Callable[[], None]) -> None:
        """Calls `closed`, from another thread, once nobody reads standard output any more."""
        threading.Thread(target=self._watch, args=(closed,), name="stdout", daemon=True).start()

    def _watch(self, closed: Callable[[], None]) -> None:
        poll = select.poll()
        poll.register(STDOUT, 0)
        if any(event & CLOSED for _, event in poll.poll()):
            self.closed = True
            closed()


def json_lines(frames: Sequence[Frame]) -> bytes:
    """Returns frames as lines of JSON; where that is a terminal, what could act on one is escaped in them."""
    data = encode_all(frames)
    if not (sys.stdout and sys.stdout.isatty()):
        return data
    return _UNSHOWN.sub(lambda found: f"\\u{ord(found[0]):04x}", data.decode()).encode()


def as_bytes(text: str) -> bytes:
    """Returns text as standard output takes it: a terminal that knows no arrows gets question marks."""
    return text.encode(getattr(sys.stdout, "encoding", None) or "utf-8", "replace")


def write(data: bytes) -> None:
    """Writes all of `data` to standard output; raises as `Output.show`."""
    rest = memoryview(data)
    while rest:
        try:
            written = _stream().write(rest)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise ChatError(f"cannot write: {error.strerror}") from None
        if written is None:  # Whoever shares it has made it one that does not wait.
            select.select([], [STDOUT], [])
        rest = rest[written or 0 :]


@cache
def _stream() -> FileIO:
    """Returns standard output without a buffer; on a console of Windows it takes UTF-8."""
    return open(STDOUT, "wb", buffering=0, closefd=False)


def _painter(rooms: Sequence[str]) -> Callable[[Sequence[Frame]], bytes]:
    """Returns what makes lines for people of frames."""
    from chatctl.client.display.render import View
    from chatctl.client.display.screen import choose_paint

    paint = choose_paint()
    view = View("", rooms[0] if len(rooms) == 1 else "")
    return lambda frames: as_bytes("".join(paint(frame, view) for frame in frames))
