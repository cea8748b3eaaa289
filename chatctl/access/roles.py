"""What people may do: each role may do all that those below it may."""

from __future__ import annotations

from chatctl.errors import Refused
from chatctl.messages import Measure, Role

RANKS: tuple[Role, ...] = ("guest", "member", "moderator", "owner")

MAKE_ROOMS: Role = "member"
SET_TOPICS: Role = "member"
REGISTER: Role = "member"
SPEAK_IN_READ_ONLY: Role = "moderator"
ENTER_ANY_ROOM: Role = "moderator"
SEE_ADDRESSES: Role = "moderator"
INVITE: Role = "moderator"
REDACT: Role = "moderator"
SET_MODES: Role = "moderator"
# Who may take a measure; one about a person only if that person's role is below one's own.
MEASURES: dict[Measure, Role] = {
    "kick": "moderator",
    "ban": "moderator",
    "unban": "moderator",
    "mute": "moderator",
    "unmute": "moderator",
    "allow": "moderator",
    "disallow": "moderator",
    "op": "owner",
    "deop": "owner",
}


def rank(role: Role) -> int:
    """Returns how much a role may do: the more, the higher."""
    return RANKS.index(role)


def is_at_least(role: Role, needed: Role) -> bool:
    """Returns whether `role` may do what takes `needed`."""
    return rank(role) >= rank(needed)


def demand(role: Role, needed: Role, what: str) -> None:
    """Makes sure that `role` may do what takes `needed`.

    Args:
        role: that somebody has.
        needed: the least that it takes.
        what: in words, behind "may".

    Raises:
        Refused: ``forbidden``.
    """
    if not is_at_least(role, needed):
        who = "an owner" if needed == "owner" else f"a {needed}"
        raise Refused("forbidden", f"only {who} may {what}")
