"""What there is to ask for under ``/api``."""

from __future__ import annotations

from chatctl.server.api.description import describe
from chatctl.server.api.following import follow
from chatctl.server.api.posting import post
from chatctl.server.api.reading import messages, rooms, search
from chatctl.server.web.routes import Route

ROUTES = (
    Route("GET", "/api/openapi.json", describe),
    Route("GET", "/api/rooms", rooms),
    Route("POST", "/api/rooms/{room}", post),
    Route("GET", "/api/rooms/{room}/messages", messages),
    Route("GET", "/api/rooms/{room}/search", search),
    Route("GET", "/api/rooms/{room}/stream", follow),
)
