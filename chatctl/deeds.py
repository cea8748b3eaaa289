"""What moderators do about people, in the words that every client shows."""

from __future__ import annotations

from chatctl.messages import Measure

# Who did it, about whom, and where: as they are written around these words.
DEEDS: dict[Measure, tuple[str, str]] = {
    "kick": ("kicked", ""),
    "ban": ("banned", ""),
    "unban": ("lifted the ban of", ""),
    "mute": ("muted", ""),
    "unmute": ("lets", " speak again"),
    "op": ("made", " a moderator"),
    "deop": ("made", " a member again"),
    "allow": ("allowed", " into"),
    "disallow": ("does not allow", " any more into"),
}
OF_A_ROOM: frozenset[Measure] = frozenset({"allow", "disallow"})  # which are about one room alone
