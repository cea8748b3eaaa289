"""Prints what is said in rooms, or runs a command for each message, until it is ended: ``tail``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from chatctl.client.access import Access
from chatctl.client.coming_in import come_in
from chatctl.client.complaint import complain
from chatctl.client.scripts.following import Follower, Start
from chatctl.client.scripts.output import Output
from chatctl.client.scripts.state_file import StateFile
from chatctl.client.signals import BROKEN_PIPE, Interrupted
from chatctl.messages import MAX_BACKLOG, Gap, Msg, Redacted
from chatctl.since import Since


def print_all(
    access: Access, rooms: Sequence[str], start: Start, state: Path | None, *, as_json: bool
) -> int:
    """Prints what is said, until nobody reads it any more.

    Args:
        access: where to, and as whom.
        rooms: to follow, as `names.check_room` returns them.
        start: where to begin in a room that the state file does not know.
        state: the file that keeps where this is in each room.
        as_json: prints frames.

    Returns:
        The exit code.

    Raises:
        ChatError: the server or a file cannot be used.
        Interrupted: it was told to end.
    """
    output = Output(rooms, as_json=as_json)
    with _following(access, rooms, start, state) as (follower, stop):
        output.watch(stop)
        for message in follower.messages():
            output.show([message])
    return BROKEN_PIPE if output.closed else 0


def handle_all(
    access: Access, rooms: Sequence[str], start: Start, state: Path | None, command: Sequence[str]
) -> int:
    """Runs `command`, which can be found, for each message; as `print_all`."""
    from chatctl.client.scripts.handler import Handler

    handler = Handler(command)
    with _following(access, rooms, start, state) as (follower, _):
        for message in follower.messages():
            if isinstance(message, Gap):
                complain(f"messages {message.after + 1} to {message.before - 1} of #{message.room} are lost")
                continue
            if isinstance(message, Redacted) or not message.text:
                continue  # There is nothing any more that a command could act on.
            try:
                handler.run(message)
            except Interrupted as interruption:
                if interruption.handled and isinstance(message, Msg):
                    follower.reach(message)
                raise
    return 0


@contextmanager
def _following(
    access: Access, rooms: Sequence[str], start: Start, state: Path | None
) -> Iterator[tuple[Follower, Callable[[], None]]]:
    """Yields who follows the rooms, and what ends that."""
    with _kept(state) as (places, note), come_in(access, {}, backlog=MAX_BACKLOG) as client:
        follower = Follower(client, note)
        follower.enter(
            {room: Start(Since(after=places[room]), kept=True) if room in places else start for room in rooms}
        )
        yield follower, client.close


@contextmanager
def _kept(state: Path | None) -> Iterator[tuple[dict[str, int], Callable[[str, int], None]]]:
    """Yields the places that a state file knows, and what notes more of them."""
    if state is None:
        yield {}, lambda _room, _place: None
        return
    with StateFile(state) as file:
        yield file.places, file.note
