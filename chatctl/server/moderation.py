"""What moderators do about people: the act, whom it may be done to, who is told of it, and its record."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from chatctl.access import roles
from chatctl.access.bans import What, covers, is_range
from chatctl.deeds import OF_A_ROOM
from chatctl.errors import Refused
from chatctl.framing import encode
from chatctl.messages import (
    MAX_REASON,
    MAX_SERVER_FRAME,
    AskBans,
    Ban,
    Bans,
    Bye,
    Frame,
    Measure,
    Moderate,
    Moderated,
    Role,
)
from chatctl.names import check_name, check_room, fold, skeleton
from chatctl.server import identity
from chatctl.text import check_text, one_line

if TYPE_CHECKING:
    from chatctl.server.api.followers import Follower
    from chatctl.server.people import Member
    from chatctl.server.room import Room
    from chatctl.server.session import Session
    from chatctl.server.shared import Shared

log = logging.getLogger(__name__)

MAX_TOLD_OF = 20  # people of a range whose rooms are told that it is about them
_MAX_LIST_BYTES = MAX_SERVER_FRAME - 1024
_DONE: dict[Measure, str] = {
    "kick": "kicked",
    "ban": "banned",
    "unban": "lifted the ban of",
    "mute": "muted",
    "unmute": "lifted the mute of",
    "op": "made a moderator of",
    "deop": "made a member of",
    "allow": "let in",
    "disallow": "no longer lets in",
}


class Act(Struct):
    """Something that is being done.

    Attributes:
        whom: the name, as it is shown, or the range.
        room: that it is about alone; None if all are.
        seconds: for how long; None for good.
        people: the connections of those it is about.
        followers: those of them that only follow, over HTTP, where it is about these too.
        until: when it ends, in milliseconds since the Unix epoch; None if it does not.
    """

    what: Measure
    whom: str
    room: str | None
    seconds: int | None
    reason: str
    by: Session
    people: list[Session]
    followers: list[Follower]
    until: int | None = None


def moderate(shared: Shared, session: Session, frame: Moderate) -> None:
    """Acts on ``moderate``.

    Raises:
        Refused: ``forbidden``, ``no-such-user``, ``not-in-room``, ``bad-name``, ``bad-room``, ``bad-text``,
            ``server-full``, ``storage``.
    """
    shared.book.refresh()
    roles.demand(session.role, roles.MEASURES[frame.what], frame.what)
    check_reason(frame.reason)
    act = _prepare(shared, session, frame)
    if act.what == "kick" and not (act.people or act.followers):
        raise Refused("no-such-user", "nobody here has that name")
    _demand_below(shared, act)
    if measure := _MEASURES.get(act.what):
        measure(shared, act)
    _note(shared, act)
    _tell(shared, act, frame.n)
    identity.recheck_all(shared)
    if act.what == "kick":
        _cut(act)


def check_reason(reason: str) -> None:
    """Accepts a reason, which may be empty.

    Raises:
        Refused: ``bad-text``.
    """
    if reason:
        check_text(reason, MAX_REASON)


def demand_room(shared: Shared, name: str) -> str:
    """Returns the room that `name` means, which must be there.

    Raises:
        Refused: ``bad-room``, ``not-in-room``.
    """
    room = check_room(name)
    if not shared.hub.has_room(room):
        raise Refused("not-in-room", f"there is no room #{room}: join it first")
    return room


# Whom it is about


def _prepare(shared: Shared, session: Session, frame: Moderate) -> Act:
    room = None
    if frame.what in OF_A_ROOM:
        if frame.room is None:
            raise Refused("bad-room", f"{frame.what} needs a room")
        room = demand_room(shared, frame.room)
    whom, people = _find(shared, frame.whom, ranges=frame.what in ("ban", "unban", "mute", "unmute"))
    followers = shared.followers.of(fold(whom)) if frame.what == "kick" else []
    return Act(frame.what, whom, room, frame.seconds, frame.reason, session, people, followers)


def _find(shared: Shared, whom: str, *, ranges: bool) -> tuple[str, list[Session]]:
    """Returns whom it is about, by the name they have now, and their connections."""
    everyone = [session for session in shared.sessions() if session.name]
    if ranges and is_range(whom):
        return whom, [session for session in everyone if covers(whom, session.address)]
    name = check_name(whom)
    author = fold(name)
    if found := [session for session in everyone if author in (session.author, session.account)]:
        return next((session.name for session in found if session.author == author), name), found
    if not shared.book.accounts.get(author):
        # Who took another name just now is still meant by the one before.
        found = [session for session in everyone if author in session.earlier_names][:1]
    return found[0].name if found else name, found


def _demand_below(shared: Shared, act: Act) -> None:
    """Makes sure that nobody whom an act is about may do as much as the one who acts."""
    if act.by in act.people:
        own = "your own address is in that range" if is_range(act.whom) else "that is yourself"
        raise Refused("forbidden", own)
    for name, role in _concerned(shared, act):
        if roles.is_at_least(role, act.by.role):
            raise Refused("forbidden", f"{name} may do as much as you: {act.what} is for those who may less")


def _concerned(shared: Shared, act: Act) -> Iterable[tuple[str, Role]]:
    """Yields the names and roles of those whom an act is about, or who look as if they were meant."""
    yield from ((session.name, session.role) for session in act.people)
    yield from ((follower.name, follower.role) for follower in act.followers)
    if is_range(act.whom):
        return
    if account := shared.book.accounts.owner(act.whom):
        yield account.name, account.role
    if act.what in ("ban", "mute"):
        look = skeleton(act.whom)
        for session in shared.sessions():
            if session.name and look in (skeleton(session.name), skeleton(session.account)):
                yield session.name, session.role


# The measures


def _ban(shared: Shared, act: Act) -> None:
    _put(shared, act, "ban")
    if not is_range(act.whom):
        shared.book.keys.forget_person(fold(act.whom))


def _mute(shared: Shared, act: Act) -> None:
    _put(shared, act, "mute")


def _put(shared: Shared, act: Act, what: What) -> None:
    ban = shared.book.bans.put(what, act.whom, by=act.by.name, seconds=act.seconds, reason=act.reason)
    act.whom, act.until = ban.whom, ban.until


def _unban(shared: Shared, act: Act) -> None:
    act.whom = shared.book.bans.lift("ban", act.whom)


def _unmute(shared: Shared, act: Act) -> None:
    """Lifts a mute, also one that somebody was given under an earlier name."""
    bans = shared.book.bans
    names = [] if is_range(act.whom) else [name for session in act.people for name in session.silenced_as]
    earlier = {skeleton(name): name for name in names if bans.find("mute", name, "")}
    for name in earlier.values():
        bans.lift("mute", name)
    if not earlier or bans.find("mute", act.whom, ""):
        act.whom = bans.lift("mute", act.whom)


def _op(shared: Shared, act: Act) -> None:
    _give_role(shared, act, "moderator")


def _deop(shared: Shared, act: Act) -> None:
    account = shared.book.accounts.get(fold(act.whom))
    if account and account.role != "moderator":
        raise Refused("forbidden", f"{account.name} is no moderator")
    _give_role(shared, act, "member")


def _give_role(shared: Shared, act: Act, role: Role) -> None:
    act.whom = shared.book.accounts.set_role(act.whom, role).name


def _allow(shared: Shared, act: Act) -> None:
    assert act.room is not None
    account = shared.book.accounts.get(fold(act.whom))
    if account is None:
        raise Refused("no-such-user", f"there is no account {act.whom}: only accounts can be let in")
    act.whom = account.name
    shared.book.rules.allow(act.room, account.author)


def _disallow(shared: Shared, act: Act) -> None:
    """Ends what lets somebody into a room: the account's leave, and that of keys they came by."""
    assert act.room is not None
    author = fold(act.whom)
    had_key = shared.book.keys.close_room(author, act.room)
    if shared.book.rules.is_allowed(act.room, author) or not had_key:
        shared.book.rules.disallow(act.room, author)
    for session in act.people:
        identity.close_room(session, act.room)


_MEASURES: dict[Measure, Callable[[Shared, Act], None]] = {
    "ban": _ban,
    "unban": _unban,
    "mute": _mute,
    "unmute": _unmute,
    "op": _op,
    "deop": _deop,
    "allow": _allow,
    "disallow": _disallow,
}


# What follows from it


def _cut(act: Act) -> None:
    words = f"you were kicked by {act.by.name}"
    ending = Bye(code="kicked", text=f"{words}: {one_line(act.reason)}" if act.reason else words)
    for session in act.people:
        session.expel(ending)
    for follower in act.followers:
        follower.cut(ending)


def _note(shared: Shared, act: Act) -> None:
    where = f" into #{act.room}" if act.room else ""
    how_long = f" for {act.seconds} s" if act.until is not None else ""
    why = f": {act.reason}" if act.reason else ""
    extra = {"client": act.by.name, "address": act.by.address}
    log.info("%s %s %s%s%s%s", act.by.name, _DONE[act.what], act.whom, where, how_long, why, extra=extra)
    shared.book.audit.add(act.by.name, act.what, act.whom, room=act.room, until=act.until, reason=act.reason)


def _tell(shared: Shared, act: Act, re: int | None) -> None:
    """Tells each connection once: who did it, those it is about, and everybody in their rooms."""
    frame = Moderated(
        what=act.what,
        whom=act.whom,
        name=act.by.name,
        at=int(time.time() * 1000),
        room=act.room,
        until=act.until,
        reason=act.reason,
    )
    act.by.send_frame(structs.replace(frame, re=re))
    about = None if act.room is None else shared.hub.room(act.room)
    for whom, people in _shown(act).items():
        rooms = [room for session in people for room in list(session.rooms.values())]
        _spread(structs.replace(frame, whom=whom), rooms if about is None else [about], people, {act.by})


def _shown(act: Act) -> dict[str, list[Session]]:
    """Returns the names under which others are told of an act, since addresses are for moderators alone."""
    if not is_range(act.whom):
        return {act.whom: act.people}
    names: dict[str, list[Session]] = {}
    for session in act.people:
        if session.name and (session.name in names or len(names) < MAX_TOLD_OF):
            names.setdefault(session.name, []).append(session)
    return names


def _spread(frame: Frame, rooms: Iterable[Room], people: list[Session], told: set[Member]) -> None:
    for room in rooms:
        room.tell(frame, told)
    for session in people:
        if session not in told:
            told.add(session)
            session.send_frame(frame)


# Who is banned


def answer_bans(shared: Shared, session: Session, frame: AskBans) -> None:
    """Answers ``banned``.

    Raises:
        Refused: ``forbidden``.
    """
    roles.demand(session.role, roles.MEASURES["ban"], "see who is banned")
    session.send_frame(Bans(_fit(shared.book.bans.all()), frame.n))


def _fit(bans: list[Ban]) -> list[Ban]:
    """Returns as many of the first as fit into one frame."""
    size = 0
    for place, ban in enumerate(bans):
        size += len(encode(Bans([ban])))
        if size > _MAX_LIST_BYTES:
            return bans[:place]
    return bans
