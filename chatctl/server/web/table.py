"""All there is to ask for over HTTP."""

from __future__ import annotations

from functools import cache

from chatctl.server.api.routes import ROUTES
from chatctl.server.web import pages
from chatctl.server.web.health import healthz
from chatctl.server.web.routes import Route
from chatctl.server.web.upgrade import upgrade


@cache
def routes() -> tuple[Route, ...]:
    """Returns the table of routes."""
    return (Route("GET", "/ws", upgrade), *pages.routes(), Route("GET", "/healthz", healthz), *ROUTES)
