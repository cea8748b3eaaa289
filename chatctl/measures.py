"""What the commands about who may do what ask a server for, whichever client they are typed at."""

from __future__ import annotations

from collections.abc import Callable

from chatctl import commands
from chatctl.commands import LOCKS, MODES, Action
from chatctl.deeds import OF_A_ROOM
from chatctl.messages import AskBans, ClientFrame, Invite, Moderate, SetMode


def measure_of(action: Action, here: Callable[[], str]) -> ClientFrame | None:
    """Returns the frame that `action` asks for; None if it is about something else.

    Args:
        action: what was typed.
        here: returns the room that is talked in. Called where that matters, and may raise if there is none.
    """
    match action:
        case commands.Invite(seconds):
            return Invite(here()) if seconds is None else Invite(here(), seconds=seconds)
        case commands.Moderate(what, whom, seconds, reason):
            return Moderate(what, whom, here() if what in OF_A_ROOM else None, seconds, reason)
        case commands.Banned():
            return AskBans()
        case commands.TopicLock(value):
            return SetMode(here(), **LOCKS.get(value, {}))
        case commands.Mode(choice):
            return SetMode(here(), **MODES.get(choice, {}))
    return None
