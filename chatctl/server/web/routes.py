"""What there is to ask for over HTTP, and who answers it: one table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from chatctl.server.web.request import Answer, Problem, Request

if TYPE_CHECKING:
    from chatctl.server.session import Session
    from chatctl.server.shared import Shared

Handler = Callable[["Shared", "Session", Request], Answer]


class Route(NamedTuple):
    """One thing that can be asked for.

    Attributes:
        method: in capitals; ``GET`` answers ``HEAD`` too.
        path: in which ``{name}`` stands for one part, any but an empty one.
        answer: called on the session's own thread, which may wait. It may raise `Problem`, and `Refused`.
        share: of a newcomer, as which a connection counts on which this is asked for first.
    """

    method: str
    path: str
    answer: Handler
    share: float = 1.0


class Found(NamedTuple):
    """A route, and what stands in a path for its names, decoded."""

    route: Route
    parts: dict[str, str]


def find(routes: Iterable[Route], request: Request) -> Found:
    """Returns the route that answers a request.

    Raises:
        Problem: 404 where there is nothing of that path; 405 where there is, by another method; 400 where it
            is not UTF-8.
    """
    method = "GET" if request.method == "HEAD" else request.method
    allowed: list[str] = []
    for route in routes:
        parts = match(route.path, request.path)
        if parts is None:
            continue
        if route.method == method:
            return Found(route, parts)
        allowed += ["GET", "HEAD"] if route.method == "GET" else [route.method]
    if not allowed:
        raise Problem(404, "there is nothing of that path")
    raise Problem(405, "not by that method", {"Allow": ", ".join(dict.fromkeys(allowed))})


def match(pattern: str, path: str) -> dict[str, str] | None:
    """Returns what stands in `path` for the names in `pattern`, decoded; None if it is another path."""
    wanted, given = pattern.split("/"), path.split("/")
    if len(wanted) != len(given):
        return None
    parts: dict[str, str] = {}
    for want, have in zip(wanted, given, strict=True):
        if not want.startswith("{"):
            if want != have:
                return None
        elif not have:
            return None
        else:
            parts[want.strip("{}")] = _decoded(have)
    return parts


def _decoded(part: str) -> str:
    try:
        return unquote(part, errors="strict")
    except UnicodeDecodeError:
        raise Problem(400, "what is asked for is not UTF-8") from None
