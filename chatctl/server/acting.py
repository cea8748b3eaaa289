"""What a client that is in does: says, tells, enters rooms, takes names. Knows no sockets.

What it asks about others, and about what was said, is answered in `answers`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chatctl.errors import FrameError, Refused
from chatctl.framing import Fault, check_nonce
from chatctl.history.log import Post
from chatctl.messages import (
    Ack,
    ClientFrame,
    Error,
    Hello,
    Join,
    Leave,
    Login,
    Notice,
    Part,
    Ping,
    Pong,
    Register,
    Rename,
    Say,
    SetTopic,
    Tell,
    error_of,
)
from chatctl.names import check_name, check_room
from chatctl.server import identity, permissions
from chatctl.server.answers import ANSWERS
from chatctl.server.dialects.dialect import Frames
from chatctl.server.entrance import MAX_ROOMS_JOINED
from chatctl.server.room import POST_SIZE, PostSet, Room
from chatctl.text import MAX_TOPIC, check_text, one_line

if TYPE_CHECKING:
    from chatctl.server.session import Session
    from chatctl.server.shared import Shared


def perform(shared: Shared, session: Session, frames: Frames) -> None:
    """Acts on frames in order, until one ends the session; messages that stand together go together."""
    says: list[Say] = []
    for frame in frames:
        if type(frame) is Say:
            says.append(frame)
            continue
        if says:
            _say(shared, session, says)
            says = []
        if session.ending is not None:
            return
        _act(shared, session, frame)
    if says:
        _say(shared, session, says)


def _act(shared: Shared, session: Session, frame: ClientFrame | Fault) -> None:
    if isinstance(frame, Fault):
        session.complain(
            Error(code=frame.code, text=frame.text, re=frame.re, nonce=frame.nonce, fatal=frame.fatal)
        )
        return
    try:
        _ACTS[type(frame)](shared, session, frame)
    except (Refused, FrameError) as error:
        refuse(session, error, frame)


def refuse(session: Session, error: Refused | FrameError, frame: ClientFrame) -> None:
    """Tells a client why its frame is not acted on, and none that follows if it cannot be trusted."""
    fatal = isinstance(error, FrameError)
    # What makes a frame fatal here is its nonce, which cannot be sent back.
    nonce = None if fatal else getattr(frame, "nonce", None)
    session.complain(error_of(error, frame.n, nonce=nonce, fatal=fatal))


# Saying


def _say(shared: Shared, session: Session, says: list[Say]) -> None:
    """Publishes messages; those that stand together and go to one room go together."""
    start = 0
    for place, say in enumerate(says):
        if say.room != says[start].room:
            _say_in(shared, session, says[start].room, says[start:place])
            start = place
    _say_in(shared, session, says[start].room, says[start:])


def _say_in(shared: Shared, session: Session, name: str, says: list[Say]) -> None:
    posts: list[Post] = []
    numbers: list[int | None] = []
    nonced = False
    size = 0
    room: Room | None = None
    refusal: Refused | None = None
    for say in says:
        if session.ending is not None:
            break
        try:
            if say.nonce is not None:
                check_nonce(say.nonce)
                nonced = True
            if room is None:
                room = session.rooms.get(name) or _joined(session, name)
                refusal = permissions.why_silent(shared.book, session, room.name)
            if refusal:
                raise refusal
            check_text(say.text)
        except (Refused, FrameError) as error:
            refuse(session, error, say)
            continue
        posts.append(Post(session.name, session.author, say.text, say.kind, say.nonce))
        numbers.append(say.n)
        size += len(say.text) + POST_SIZE
    if posts and room:
        session.spoke = session.heard
        room.publish(PostSet(session, posts, numbers, nonced, size))


def _tell(shared: Shared, session: Session, frame: Tell) -> None:
    if frame.nonce is not None:
        check_nonce(frame.nonce)
    check_text(frame.text)
    permissions.demand_voice(shared.book, session)
    at, kept = shared.hub.tell(session, frame.to, frame.text, frame.kind, frame.nonce)
    session.spoke = session.heard
    if frame.nonce is not None:
        session.send_frame(Ack(nonce=frame.nonce, at=at, re=frame.n))
    if kept:
        session.send_frame(Notice(f"{one_line(frame.to)} is not here, and gets it on coming back"))


# Rooms


def _joined(session: Session, name: str) -> Room:
    """Returns the room the client means, and is in."""
    room = session.rooms.get(check_room(name))
    if room is None:
        raise Refused("not-in-room", "you are not in that room")
    return room


def _join(shared: Shared, session: Session, frame: Join) -> None:
    name = check_room(frame.room)
    if name not in session.rooms and len(session.rooms) >= MAX_ROOMS_JOINED:
        raise Refused("forbidden", f"at most {MAX_ROOMS_JOINED} rooms at once")
    enter(shared, session, name, frame.after, frame.backlog, frame.n)


def enter(
    shared: Shared, session: Session, name: str, after: int | None, backlog: int, re: int | None
) -> None:
    """Has a client be in a room, and shows it.

    Args:
        shared: what all sessions share.
        session: the client's.
        name: of the room, as `names.check_room` makes it.
        after: the last id that the client has seen there; None if it comes anew.
        backlog: earlier messages that it is shown then, at most.
        re: the number that the answer is to carry.

    Raises:
        Refused: it may not be in there; ``server-full``, ``storage``.
    """
    if room := session.rooms.get(name):
        room.show(session, re)
        return
    hub = shared.hub
    permissions.demand_entry(shared.book, session, name, exists=hub.has_room(name))
    while session.ending is None:
        if hub.open_room(name).enter(session, after, backlog, re):
            return
        # The room was dropped meanwhile, or this client cut off.


def _part(shared: Shared, session: Session, frame: Part) -> None:
    room = _joined(session, frame.room)
    room.leave(session, re=frame.n, answer=True)
    shared.hub.close_if_unused(room)


def _set_topic(shared: Shared, session: Session, frame: SetTopic) -> None:
    room = _joined(session, frame.room)
    permissions.demand_topic(shared.book, session, room.name)
    if frame.text:
        check_text(frame.text, MAX_TOPIC)
    room.set_topic(session, frame.text, frame.n)


# Who one is


def _rename(shared: Shared, session: Session, frame: Rename) -> None:
    old = session.name
    name = check_name(frame.name)
    permissions.demand_voice(shared.book, session)
    permissions.demand_name(shared.book, name)
    shared.hub.people.rename(session, name)
    session.tell_name(old, frame.n)


def _register(shared: Shared, session: Session, frame: Register) -> None:
    session.note_asking()
    identity.register(shared, session, frame)
    session.open_postbox()


def _log_in(shared: Shared, session: Session, frame: Login) -> None:
    session.note_asking()
    identity.log_in(shared, session, frame)
    session.open_postbox()


# The connection


def _ping(_: Shared, session: Session, frame: Ping) -> None:
    session.send_frame(Pong(re=frame.n))


def _pong(_: Shared, session: Session, frame: Pong) -> None:
    """Notes that mail has arrived; that the client was heard is noted where it is read."""
    if frame.re is not None:
        session.confirm_mail(frame.re)


def _hello_again(_: Shared, session: Session, frame: Hello) -> None:
    session.end(Error(code="bad-frame", text="you are in already", re=frame.n, fatal=True))


def _leave(_: Shared, session: Session, frame: Leave) -> None:
    session.leave(frame.n)


_ACTS: dict[type, Callable[[Shared, Session, Any], None]] = {
    Hello: _hello_again,
    Tell: _tell,
    Join: _join,
    Part: _part,
    Rename: _rename,
    SetTopic: _set_topic,
    Ping: _ping,
    Register: _register,
    Login: _log_in,
    Pong: _pong,
    Leave: _leave,
    **ANSWERS,
}
