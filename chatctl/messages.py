"""Every frame of the protocol as a typed struct, with its limits (PROTOCOL.md).

Frames from clients and frames from servers are two unions, since ``topic``, ``ping``, ``pong`` and ``bye``
exist in both directions. Structs carry data only: what a name, a room or a text may contain is decided in
``names`` and ``text``, bytes are made and read in ``framing``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from chatctl.names import MAX_NAME, MAX_ROOM
from chatctl.text import MAX_TOPIC

VERSION = 1
LOBBY = "lobby"

MAX_CLIENT_FRAME = 16_384  # bytes, the line end included
MAX_SERVER_FRAME = 1 << 20  # bytes, the line end included
MAX_HANDSHAKE = 8_192  # bytes before `welcome`
HANDSHAKE_SECONDS = 10.0
MAX_DEPTH = 16
MAX_NONCE = 64  # bytes of UTF-8
MAX_BACKLOG = 500
DEFAULT_BACKLOG = 50
MAX_MEMBERS_SHOWN = 200
MAX_NAMES_LISTED = 5_000  # that many of 32 characters fit into one frame,
MAX_AWAY_LISTED = 2_000  # and so many once more
MAX_ROOMS_LISTED = 50  # of one person
MAX_AGENT = 64  # characters of what a client calls itself
MAX_ROOMS = 1_000  # that can be entered without asking the log
MAX_KEPT_ROOMS = 10_000  # that have something in the log
MAX_WORDS = 16_384  # characters of what the server itself has to say
MAX_PAGE = 500  # messages in one answer to `history` or `search`
DEFAULT_PAGE = 100

# Whole numbers that every JSON implementation keeps exact (RFC 8259 section 6).
Whole = Annotated[int, Meta(ge=-(2**53) + 1, le=2**53 - 1)]
MessageId = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Backlog = Annotated[int, Meta(ge=0, le=MAX_BACKLOG)]
PageSize = Annotated[int, Meta(ge=1, le=MAX_PAGE)]
Kind = Literal["text", "action"]
# In what comes from a server: who keeps it, or sorts it, has to know how much it can be.
Name = Annotated[str, Meta(max_length=MAX_NAME)]
Room = Annotated[str, Meta(max_length=MAX_ROOM)]
TopicText = Annotated[str, Meta(max_length=MAX_TOPIC)]
Nonce = Annotated[str, Meta(max_length=MAX_NONCE)]
Words = Annotated[str, Meta(max_length=MAX_WORDS)]
FewNames = Annotated[list[Name], Meta(max_length=MAX_MEMBERS_SHOWN)]
Messages = Annotated[list["Msg"], Meta(max_length=MAX_PAGE)]


class Frame(Struct, tag_field="t", omit_defaults=True, gc=False):
    """What all frames share: the type in ``t``, written first; keys at their default are left out."""


# Client to server


class Hello(Frame, tag="hello", kw_only=True, gc=True):
    """The first frame: who the client is and which rooms it wants (``rooms``: room to last id seen)."""

    v: int
    name: str
    key: str | None = None
    password: str | None = None
    resume: str | None = None
    rooms: dict[str, MessageId | None] | UnsetType = UNSET
    backlog: Backlog = DEFAULT_BACKLOG
    agent: str | None = None
    n: Whole | None = None


class Say(Frame, tag="say"):
    """Posts a message to a room the client is in."""

    text: str
    room: str = LOBBY
    nonce: str | None = None
    kind: Kind = "text"
    n: Whole | None = None


class Tell(Frame, tag="tell"):
    """Sends a private message to one name."""

    to: str
    text: str
    nonce: str | None = None
    kind: Kind = "text"
    n: Whole | None = None


class Join(Frame, tag="join"):
    """Enters a room, replaying what follows id ``after``, or the last ``backlog`` messages."""

    room: str
    after: MessageId | None = None
    backlog: Backlog = DEFAULT_BACKLOG
    n: Whole | None = None


class Part(Frame, tag="part"):
    """Leaves a room."""

    room: str
    n: Whole | None = None


class Rename(Frame, tag="rename"):
    """Takes another name."""

    name: str
    n: Whole | None = None


class SetTopic(Frame, tag="topic"):
    """Sets a room's topic; empty clears it."""

    room: str
    text: str
    n: Whole | None = None


class Who(Frame, tag="who"):
    """Asks who is in a room, or on the server."""

    room: str | None = None
    n: Whole | None = None


class SetAway(Frame, tag="away"):
    """The client is away, and what it says of that; empty: it is back."""

    text: str = ""
    n: Whole | None = None


class Whois(Frame, tag="whois"):
    """Asks about one person."""

    name: str
    n: Whole | None = None


class ListRooms(Frame, tag="list"):
    """Asks which rooms there are."""

    n: Whole | None = None


class AskHistory(Frame, tag="history"):
    """Asks for a page of a room's messages: the first after an id or a time, else the last before an id."""

    room: str
    after: MessageId | None = None
    before: MessageId | None = None
    since: MessageId | None = None
    limit: PageSize = DEFAULT_PAGE
    n: Whole | None = None


class Search(Frame, tag="search"):
    """Asks for the messages, of one room or of all, that hold every word of ``text``."""

    text: str
    room: str | None = None
    limit: PageSize = DEFAULT_PAGE
    n: Whole | None = None


class Ping(Frame, tag="ping"):
    """Asks for a ``pong``; either side may."""

    n: Whole | None = None


class Pong(Frame, tag="pong"):
    """Answers a ``ping``; ``re`` is the ping's ``n``."""

    n: Whole | None = None
    re: Whole | None = None


class Leave(Frame, tag="bye"):
    """The client leaves."""

    n: Whole | None = None


ClientFrame = (
    Hello
    | Say
    | Tell
    | Join
    | Part
    | Rename
    | SetTopic
    | Who
    | SetAway
    | Whois
    | ListRooms
    | AskHistory
    | Search
    | Ping
    | Pong
    | Leave
)


# Server to client


class Limits(Struct, omit_defaults=True):
    """What the server accepts, told in ``welcome``: bytes, but for counts and messages a second."""

    frame: int
    text: int
    topic: int
    name: int
    room: int
    nonce: int
    backlog: int
    rooms: int
    outbox: int
    rate: float
    burst: int


class Welcome(Frame, tag="welcome", kw_only=True, gc=True):
    """The client is in, under ``name``; ``session`` is its fresh secret."""

    v: int
    name: Name
    server: Words
    session: Words
    limits: Limits
    resumed: bool = False
    motd: Words | None = None
    re: Whole | None = None


class RoomState(Frame, tag="room", kw_only=True, gc=True):
    """The client is now in ``room``; ``last`` is its newest id, ``members`` is cut at 200 names."""

    room: Room
    topic: TopicText
    count: Whole
    members: FewNames
    last: MessageId
    re: Whole | None = None


class Msg(Frame, tag="msg"):
    """A message in a room. ``nonce`` reaches only the one who posted it, on replay."""

    id: Whole
    at: Whole
    room: Room
    name: Name
    text: str
    kind: Kind = "text"
    nonce: Nonce | None = None


class Ack(Frame, tag="ack", kw_only=True):
    """The client's ``say`` (with ``room`` and ``id``) or ``tell`` with ``nonce`` is accepted."""

    nonce: Nonce
    at: Whole
    room: Room | None = None
    id: Whole | None = None
    re: Whole | None = None


class Told(Frame, tag="told"):
    """A private message."""

    at: Whole
    name: Name
    text: str
    kind: Kind = "text"


class Presence(Frame, tag="presence", kw_only=True, gc=True):
    """Who came to a room and who left it; ``count`` is right even where the lists are cut."""

    room: Room
    joined: FewNames
    left: FewNames
    count: Whole
    re: Whole | None = None


class Renamed(Frame, tag="renamed"):
    """Someone the client shares a room with, or the client itself, has a new name."""

    name: Name
    to: Name
    re: Whole | None = None


class Topic(Frame, tag="topic"):
    """The topic of a room changed."""

    room: Room
    text: str
    name: Name
    at: Whole
    re: Whole | None = None


class Members(Frame, tag="members", kw_only=True, gc=True):
    """The answer to ``who``; ``away``: those of ``names`` who are."""

    names: Annotated[list[Name], Meta(max_length=MAX_NAMES_LISTED)]
    count: Whole
    room: Room | None = None
    away: Annotated[list[Name], Meta(max_length=MAX_AWAY_LISTED)] = field(default_factory=list)
    re: Whole | None = None


class Away(Frame, tag="away"):
    """Someone is away, and what they say of that; empty: they are back."""

    name: Name
    text: TopicText
    re: Whole | None = None


class User(Frame, tag="user", kw_only=True, gc=True):
    """The answer to ``whois``: when they came in, and the seconds since they said something."""

    name: Name
    rooms: Annotated[list[Room], Meta(max_length=MAX_ROOMS_LISTED)]
    at: Whole
    idle: Whole
    away: TopicText | None = None
    agent: Annotated[str, Meta(max_length=MAX_AGENT)] | None = None
    re: Whole | None = None


class RoomLine(Struct):
    """One room in the answer to ``list``."""

    room: Room
    count: Whole
    topic: TopicText
    last: Whole


class Rooms(Frame, tag="rooms", gc=True):
    """The answer to ``list``."""

    rooms: Annotated[list[RoomLine], Meta(max_length=MAX_ROOMS + MAX_KEPT_ROOMS)]
    re: Whole | None = None


class History(Frame, tag="history", kw_only=True, gc=True):
    """The answer to ``history``, oldest first; ``more``: there are others on the side that was asked for."""

    room: Room
    messages: Messages
    more: bool
    re: Whole | None = None


class Found(Frame, tag="found", kw_only=True, gc=True):
    """The answer to ``search``, newest first."""

    messages: Messages
    more: bool
    re: Whole | None = None


class Gap(Frame, tag="gap"):
    """The ids strictly between ``after`` and ``before`` are no longer kept."""

    room: Room
    after: Whole
    before: Whole


class Notice(Frame, tag="notice"):
    """Something the server wants a person to know."""

    text: Words


class Error(Frame, tag="error", kw_only=True):
    """A refusal: ``code`` for programs, ``text`` for people; with ``fatal`` the connection closes next."""

    code: Nonce
    text: Words
    re: Whole | None = None
    nonce: str | None = None
    fatal: bool = False


class Bye(Frame, tag="bye", kw_only=True):
    """The server closes next; ``retry`` (seconds) invites the client back."""

    code: Nonce
    text: Words
    retry: float | None = None
    re: Whole | None = None


ServerFrame = (
    Welcome
    | RoomState
    | Msg
    | Ack
    | Told
    | Presence
    | Renamed
    | Topic
    | Members
    | Away
    | User
    | Rooms
    | History
    | Found
    | Gap
    | Notice
    | Error
    | Ping
    | Pong
    | Bye
)
