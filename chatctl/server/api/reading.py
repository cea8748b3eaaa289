"""What is answered to those who look up rooms and what was said there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import UNSET, Struct, UnsetType

from chatctl.messages import AskHistory, Gap, History, Msg, RoomLine, Search
from chatctl.names import check_room
from chatctl.server import lookup, permissions
from chatctl.server.api import query
from chatctl.server.api.caller import Caller, identify
from chatctl.server.web.request import Problem, Request, Response, json_response

if TYPE_CHECKING:
    from chatctl.server.session import Session
    from chatctl.server.shared import Shared


class RoomsAnswer(Struct):
    """The rooms, the fullest first."""

    rooms: list[RoomLine]


class Lost(Struct):
    """The ids strictly between are no longer kept."""

    after: int
    before: int


class MessagesAnswer(Struct):
    """A page of what was said, oldest first; ``more``: there are others on the side that was asked for."""

    room: str
    messages: list[Msg]
    more: bool
    gap: Lost | UnsetType = UNSET


class FoundAnswer(Struct):
    """What was searched for, newest first."""

    messages: list[Msg]
    more: bool


def rooms(shared: Shared, session: Session, request: Request) -> Response:
    """Returns the rooms that the one who asks may know of."""
    caller = identify(shared, session, request)
    query.fields(request, ())
    return json_response(RoomsAnswer(shared.hub.list_rooms(caller.may_read, None).rooms))


def messages(shared: Shared, session: Session, request: Request) -> Response:
    """Returns a page of what was said in a room."""
    caller = identify(shared, session, request)
    asked = query.fields(request, ("before", "after", "since", "limit"))
    since = query.since_of(asked.get("since"))
    after = query.id_of(asked.get("after"), "after")
    if since.after is not None:
        after = max(since.after, after or 0)
    question = AskHistory(
        room=readable(shared, caller, request),
        after=after,
        before=query.id_of(asked.get("before"), "before"),
        since=since.at,
        limit=query.limit_of(asked.get("limit")),
    )
    answer = MessagesAnswer(question.room, [], more=False)
    for frame in lookup.history(shared.log, shared.book, question, caller):
        if isinstance(frame, Gap):
            answer.gap = Lost(frame.after, frame.before)
        elif isinstance(frame, History):
            answer.messages, answer.more = frame.messages, frame.more
    return json_response(answer)


def search(shared: Shared, session: Session, request: Request) -> Response:
    """Returns the messages of a room that hold every word of a text."""
    caller = identify(shared, session, request)
    asked = query.fields(request, ("text", "limit"))
    if "text" not in asked:
        raise Problem(400, "what is searched for is missing: ?text=WORDS")
    question = Search(asked["text"], readable(shared, caller, request), query.limit_of(asked.get("limit")))
    found = lookup.search(shared.log, shared.book, question, caller)
    return json_response(FoundAnswer(found.messages, found.more))


def readable(shared: Shared, caller: Caller, request: Request) -> str:
    """Returns the room that a request is about, which there is, and which may be read.

    Raises:
        Problem: there is no such room, as far as the one who asks may know.
        Refused: ``bad-room``; ``forbidden``.
    """
    room = check_room(request.parts["room"])
    if not shared.hub.has_room(room) or not permissions.sees_open(shared.book, caller, room):
        raise no_such_room()
    return room


def no_such_room() -> Problem:
    """Returns what is said of a room that is not there, or that nobody may know of."""
    return Problem(404, "there is no such room", code="no-such-room")
