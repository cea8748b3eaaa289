"""Who answers what is asked for over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from chatctl.server.web.request import Problem, Request, Response
from chatctl.server.web.routes import Route, find, match


def answer(*_: Any) -> Response:
    return Response(204)


ROUTES = [
    Route("GET", "/", answer),
    Route("GET", "/api/rooms", answer),
    Route("POST", "/api/rooms/{room}", answer),
    Route("GET", "/api/rooms/{room}", answer),
    Route("GET", "/api/rooms/{room}/messages", answer),
    Route("POST", "/only", answer),
]


@pytest.mark.parametrize(
    ("pattern", "path", "parts"),
    [
        ("/", "/", {}),
        ("/a", "/a", {}),
        ("/{room}", "/ops", {"room": "ops"}),
        ("/{room}", "/%C3%A9quipe", {"room": "équipe"}),
        ("/{room}", "/a%2Fb", {"room": "a/b"}),
        ("/{room}/x/{id}", "/ops/x/5", {"room": "ops", "id": "5"}),
        *(
            (pattern, path, None)
            for pattern, path in [("/a", "/a/"), ("/a", "/A"), ("/a", "//a"), ("/a", "/%61")]
        ),
        *(
            (pattern, path, None)
            for pattern, path in [("/{room}", "/"), ("/{room}", "/a/b"), ("/{room}/x", "//x")]
        ),
        ("/a", "/a/", None),
        ("/a", "/A", None),
        ("/a", "//a", None),
        ("/a", "/%61", None),
        ("/a", "/../a", None),
        ("/a", "/a/..", None),
        ("/{room}", "/", None),
        ("/{room}", "/a/b", None),
        ("/{room}/x", "//x", None),
    ],
)
def test_paths(pattern: str, path: str, parts: dict[str, str] | None) -> None:
    assert match(pattern, path) == parts


@pytest.mark.parametrize(("method", "found"), [("GET", "GET"), ("HEAD", "GET"), ("POST", "POST")])
def test_methods(method: str, found: str) -> None:
    route, parts = find(ROUTES, Request(method, "/api/rooms/ops"))
    assert (route.method, parts) == (found, {"room": "ops"})


@pytest.mark.parametrize(
    ("method", "path", "status", "allowed"),
    [
        ("GET", "/nothing", 404, None),
        ("POST", "/nothing", 404, None),
        ("GET", "/only", 405, "POST"),
        ("DELETE", "/api/rooms/ops", 405, "POST, GET, HEAD"),
        ("get", "/", 405, "GET, HEAD"),
        ("OPTIONS", "/api/rooms/ops", 405, "POST, GET, HEAD"),
        ("GET", "/api/rooms/%FF", 400, None),
    ],
)
def test_what_is_not_there(method: str, path: str, status: int, allowed: str | None) -> None:
    with pytest.raises(Problem) as caught:
        find(ROUTES, Request(method, path))
    assert caught.value.status == status
    assert caught.value.headers.get("Allow") == allowed
