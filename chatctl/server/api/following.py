"""Following a room: what was said since some moment, then what is said, with nothing lost in between."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from chatctl.errors import Refused
from chatctl.messages import DEFAULT_BACKLOG
from chatctl.server.api import query
from chatctl.server.api.caller import agent_of, identify
from chatctl.server.api.followers import Follower
from chatctl.server.api.reading import readable
from chatctl.server.api.streams import EVENTS, LINES
from chatctl.server.web.request import Request, Streaming

if TYPE_CHECKING:
    from chatctl.server.session import Session
    from chatctl.server.shared import Shared

log = logging.getLogger(__name__)


def follow(shared: Shared, session: Session, request: Request) -> Streaming:
    """Returns what is said in a room, for as long as whoever asks stays, and may."""
    caller = identify(shared, session, request)
    asked = query.fields(request, ("since",))
    room = readable(shared, caller, request)
    after = _start(shared, room, asked.get("since"), request.headers.get("last-event-id"))
    form = EVENTS if "text/event-stream" in request.headers.get("accept", "").lower() else LINES
    follower = Follower(caller, session, form)
    return Streaming(
        # Proxies are to pass each piece on as it comes.
        headers={"Content-Type": form.kind, "Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        encode=form.encode,
        begin=lambda: _begin(shared, session, follower, room, after, agent_of(request)),
        end=lambda: _end(shared, session, follower, room),
    )


def _start(shared: Shared, room: str, since: str | None, last_event: str | None) -> int | None:
    """Returns the id behind which to begin; None for what is said from now on."""
    if last_event:
        return query.id_of(last_event, "Last-Event-ID")
    wanted = query.since_of(since)
    if wanted.at is not None:
        return shared.log.since(room, wanted.at) - 1
    return wanted.after


def _begin(
    shared: Shared, session: Session, follower: Follower, room: str, after: int | None, agent: str
) -> None:
    # An id that was never given comes from an earlier life of a server that kept nothing.
    backlog = 0 if after is None else DEFAULT_BACKLOG
    _note(session, follower, f"follows #{room} from {session.address} ({agent})")
    shared.followers.add(follower)
    try:
        while not session.ends and not shared.hub.open_room(room).enter(follower, after, backlog, None):
            pass  # The room was dropped meanwhile, or this client cut off.
        # What has changed since it was asked for was not held against it.
        follower.recheck()
        follower.begin()
    except Refused as refusal:
        follower.end(refusal)


def _end(shared: Shared, session: Session, follower: Follower, room: str) -> None:
    _note(session, follower, f"follows #{room} no longer ({session.address})")
    shared.followers.remove(follower)
    for followed in follower.leave():
        shared.hub.close_if_unused(followed)


def _note(session: Session, follower: Follower, what: str) -> None:
    """Logs who follows, as is logged of others that they came and left."""
    extra = {"client": follower.name, "address": session.address}
    log.info("%s %s", follower.name or "somebody", what, extra=extra)
