"""What is asked of a server about who may come in and do what, and how a link is shown. No I/O."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from chatctl.client.display.labels import room_label
from chatctl.client.display.moderation import moment
from chatctl.client.display.shown import Copyable
from chatctl.invite import Invitation, format_link
from chatctl.messages import Frame, Invite, Invited, Notice, SetMode

_MODES = {
    "invite-only": {"invite_only": True},
    "public": {"invite_only": False},
    "hidden": {"hidden": True},
    "shown": {"hidden": False},
    "read-only": {"read_only": True},
    "writable": {"read_only": False},
}


def mode(room: str, choice: str) -> SetMode:
    """Returns what makes a choice of `/mode` that of a room; with none, what asks for it."""
    return SetMode(room, **_MODES.get(choice, {}))


def asking_for_an_invitation(room: str, seconds: int | None) -> Invite:
    """Returns what asks for an invitation to a room, for so many seconds or as long as is usual."""
    return Invite(room) if seconds is None else Invite(room, seconds=seconds)


def invited(event: Invited, address: tuple[str, int]) -> Iterator[Frame]:
    """Yields an invitation as the line to send.

    Args:
        event: the server's answer.
        address: by which the server was reached.
    """
    host, port = address
    link = format_link(Invitation(host, port, event.room, event.pin or "", event.key))
    people = "one person" if event.uses == 1 else f"{event.uses} people"
    yield Notice(f"until {moment(event.until)} this lets {people} into {room_label(event.room)}:")
    yield Copyable(f"chatctl join {shlex.quote(link)}")
