"""What the page of the browser says of frames, as its ``/tables.js`` has it.

By their type, and what they are about. ``{key}`` is what a frame has there; ``[a|b]`` is b where the first
key in a is lacking, and nothing where there is no b.
"""

from __future__ import annotations

from chatctl.deeds import DEEDS, OF_A_ROOM
from chatctl.messages import Measure

_LISTED = "[ until {until}| for good] by {name}[: {reason}]"


def _told(what: Measure) -> str:
    before, behind = DEEDS[what]
    room = " #{room}" if what in OF_A_ROOM else ""
    return f"{{name}} {before} {{whom}}{behind}{room}[ until {{until}}][: {{reason}}]"


WORDS = {
    "_ended bye": "You left the chat",
    "_ended replaced": "The chat goes on in another window",
    "account": "You are {name}, {role}",
    "away": "{name} is away: {text}",
    "away me": "[You are away: {text}|You are back.]",
    "bans ban": "{whom} is banned" + _LISTED,
    "bans mute": "{whom} is muted" + _LISTED,
    "gap": "What was said between #{after} and #{before} is no longer kept.",
    "bans": "Nobody is banned or muted.",
    "invited": (
        "Until {until}, for {uses} to enter #{room}:\nchat://{host}/{path}[?pin={pin}]#{key}\n{origin}/?room={path}#{key}"
    ),
    "mode": "[{name} made this room|This room is] [{mode}|open to all]",
    **{f"moderated {what}": _told(what) for what in DEEDS},
    "redacted": "{name} removed a message[: {reason}]",
    "renamed": "{name} is now {to}",
    "topic": "{name} [set the topic: {text}|cleared the topic]",
    "user": (
        "{name} is in [{rooms}|no room]; here since {at}; silent for {idle} s"
        "[; role: {role}][; away: {away}][; with {agent}][; from {address}]"
    ),
}
