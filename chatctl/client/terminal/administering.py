"""How an invitation is shown. No I/O."""

from __future__ import annotations

from collections.abc import Iterator

from chatctl.address import is_loopback
from chatctl.client.display.labels import room_label
from chatctl.client.display.moderation import moment
from chatctl.client.display.shown import Copyable
from chatctl.invite import Invitation, format_link, join_line
from chatctl.messages import Frame, Invited, Notice


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
    yield Copyable(join_line(link))
    if is_loopback(host):
        yield Notice(f"{host} is this machine: others need the address that they reach")
