"""Every frame of the protocol as a typed struct, with its limits (PROTOCOL.md).

Frames from clients and frames from servers are two unions, since ``topic``, ``ping``, ``pong`` and ``bye``
exist in both directions. Structs carry data only: what a name, a room or a text may contain is decided in
``names`` and ``text``, bytes are made and read in ``framing``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from chatctl.errors import FrameError, NotProven, Refused
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
MAX_PASSWORD = 1_024  # bytes of UTF-8
MAX_REASON = 400  # bytes of UTF-8
MAX_WHOM = 64  # characters of a name, or of an address range
MAX_BANS_LISTED = 2_000  # of either kind
MAX_PAGE = 500  # messages in one answer to `history` or `search`
DEFAULT_PAGE = 100
MAX_ID = 2**53 - 1

# Whole numbers that every JSON implementation keeps exact (RFC 8259 section 6).
Whole = Annotated[int, Meta(ge=-MAX_ID, le=MAX_ID)]
MessageId = Annotated[int, Meta(ge=0, le=MAX_ID)]
Backlog = Annotated[int, Meta(ge=0, le=MAX_BACKLOG)]
PageSize = Annotated[int, Meta(ge=1, le=MAX_PAGE)]
Seconds = Annotated[int, Meta(ge=1, le=10 * 366 * 86_400)]
Uses = Annotated[int, Meta(ge=1, le=1_000_000)]
Kind = Literal["text", "action"]
Role = Literal["owner", "moderator", "member", "guest"]
# What a moderator may do about a person; the last two are about one room alone.
Measure = Literal["kick", "ban", "unban", "mute", "unmute", "op", "deop", "allow", "disallow"]
# In what comes from a server: who keeps it, or sorts it, has to know how much it can be.
Name = Annotated[str, Meta(max_length=MAX_NAME)]
Room = Annotated[str, Meta(max_length=MAX_ROOM)]
TopicText = Annotated[str, Meta(max_length=MAX_TOPIC)]
Nonce = Annotated[str, Meta(max_length=MAX_NONCE)]
Key = Annotated[str, Meta(max_length=64)]  # that a server makes
Reason = Annotated[str, Meta(max_length=MAX_REASON)]
Whom = Annotated[str, Meta(max_length=MAX_WHOM)]
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


class Register(Frame, tag="register"):
    """Makes the client's name an account, which from then on needs this password."""

    password: str
    n: Whole | None = None


class Login(Frame, tag="login"):
    """The client is the one whose account ``name`` is, or that of its own name; it gets that name."""

    password: str
    name: str | None = None
    n: Whole | None = None


class Moderate(Frame, tag="moderate"):
    """Does something about a person: ``whom`` is a name, or for bans and mutes an address range."""

    what: Measure
    whom: str
    room: str | None = None
    seconds: Seconds | None = None
    reason: str = ""
    n: Whole | None = None


class AskBans(Frame, tag="banned"):
    """Asks who is banned or muted."""

    n: Whole | None = None


class SetMode(Frame, tag="mode"):
    """Says what is allowed in a room; what is left out stays. Without any, asks what is."""

    room: str
    invite_only: bool | None = None
    hidden: bool | None = None
    read_only: bool | None = None
    topic_locked: bool | None = None
    n: Whole | None = None


class Redact(Frame, tag="redact"):
    """Takes away what message ``id`` of a room says, for good."""

    room: str
    id: MessageId
    reason: str = ""
    n: Whole | None = None


class Invite(Frame, tag="invite"):
    """Asks for a key that lets others in."""

    room: str = LOBBY
    uses: Uses = 1
    seconds: Seconds = 86_400
    role: Role = "member"
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
    | Register
    | Login
    | Moderate
    | AskBans
    | SetMode
    | Redact
    | Invite
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
    """The client is in, under ``name``; ``session`` is its fresh secret.

    ``role`` is what it may do, ``account`` is true if it gave its account's password. ``key`` is a key of its
    own, for the next time, in place of the invitation it just used up.
    """

    v: int
    name: Name
    server: Words
    session: Words
    limits: Limits
    resumed: bool = False
    motd: Words | None = None
    role: Role = "member"
    account: bool = False
    key: Key | None = None
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
    """A message in a room. ``nonce`` reaches only the one who posted it, on replay.

    ``text`` is empty where the message was redacted.
    """

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
    """A private message. ``to`` is whom the client's own account sent it to, on another connection."""

    at: Whole
    name: Name
    text: str
    kind: Kind = "text"
    to: Name | None = None


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
    """The answer to ``whois``: when they came in, and the seconds since they said something.

    ``address`` reaches moderators alone.
    """

    name: Name
    rooms: Annotated[list[Room], Meta(max_length=MAX_ROOMS_LISTED)]
    at: Whole
    idle: Whole
    away: TopicText | None = None
    agent: Annotated[str, Meta(max_length=MAX_AGENT)] | None = None
    role: Role = "member"
    account: bool = False
    address: Whom | None = None
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


class Account(Frame, tag="account", kw_only=True):
    """Who the client is now: the answer to ``register`` and ``login``, and sent when its role changes."""

    name: Name
    role: Role
    account: bool = True
    re: Whole | None = None


class Moderated(Frame, tag="moderated", kw_only=True):
    """What was done about a person, and by whom; ``until`` is absent where it is for good."""

    what: Measure
    whom: Whom
    name: Name
    at: Whole
    room: Room | None = None
    until: Whole | None = None
    reason: Reason = ""
    re: Whole | None = None


class Ban(Struct, omit_defaults=True):
    """One line of the answer to ``banned``."""

    what: Literal["ban", "mute"]
    whom: Whom
    name: Name
    at: Whole
    until: Whole | None = None
    reason: Reason = ""


class Bans(Frame, tag="bans", gc=True):
    """The answer to ``banned``, the newest first."""

    bans: Annotated[list[Ban], Meta(max_length=MAX_BANS_LISTED)]
    re: Whole | None = None


class Mode(Frame, tag="mode", kw_only=True):
    """What is allowed in a room: follows ``room`` where anything is set, and is sent when it changes.

    ``name`` is who changed it.
    """

    room: Room
    invite_only: bool = False
    hidden: bool = False
    read_only: bool = False
    topic_locked: bool = False
    name: Name | None = None
    re: Whole | None = None


class Redacted(Frame, tag="redacted"):
    """What message ``id`` said is no longer kept, and not to be shown any more."""

    room: Room
    id: Whole
    name: Name
    reason: Reason = ""
    re: Whole | None = None


class Invited(Frame, tag="invited", kw_only=True):
    """The answer to ``invite``: a key; with the server's address, and ``pin``, it makes a link."""

    key: Key
    room: Room
    uses: Whole
    until: Whole
    role: Role = "member"
    pin: Key | None = None
    re: Whole | None = None


class Gap(Frame, tag="gap"):
    """The ids strictly between ``after`` and ``before`` are no longer kept."""

    room: Room
    after: Whole
    before: Whole


class Notice(Frame, tag="notice"):
    """Something the server wants a person to know."""

    text: Words


# With these codes it ends for good: the server would say the same again, or someone wanted it so.
FINAL = frozenset(
    {
        *("replaced", "kicked", "banned", "auth-required", "auth-failed", "forbidden", "tls-required"),
        *("bad-name", "bad-room", "bad-frame", "too-long", "unsupported-version", "bye"),
    }
)


class Error(Frame, tag="error", kw_only=True):
    """A refusal: ``code`` for programs, ``text`` for people; with ``fatal`` the connection closes next.

    ``wants`` says what is lacking, or wrong, where the code is ``auth-required`` or ``auth-failed``.
    """

    code: Nonce
    text: Words
    re: Whole | None = None
    nonce: str | None = None
    fatal: bool = False
    wants: Literal["key", "password"] | None = None


def error_of(
    refusal: Refused | FrameError,
    re: int | None = None,
    *,
    nonce: str | None = None,
    fatal: bool = False,
) -> Error:
    """Returns the frame that says what was refused."""
    wants = refusal.wants if isinstance(refusal, NotProven) else None
    return Error(code=refusal.code, text=str(refusal), re=re, nonce=nonce, fatal=fatal, wants=wants)


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
    | Account
    | Moderated
    | Bans
    | Mode
    | Redacted
    | Invited
    | Gap
    | Notice
    | Error
    | Ping
    | Pong
    | Bye
)
