"""All there is to ask for over HTTP."""

from __future__ import annotations

from functools import cache

from chatctl.server.web.health import healthz
from chatctl.server.web.routes import Route


@cache
def routes() -> tuple[Route, ...]:
    """Returns the table of routes."""
    return (Route("GET", "/healthz", healthz),)
