"""All there is to ask for over HTTP."""

from __future__ import annotations

from functools import cache

from chatctl.server.api.routes import ROUTES
from chatctl.server.web import pages
from chatctl.server.web.health import healthz
from chatctl.server.web.routes import Route
from chatctl.server.web.upgrade import upgrade

CHECKS = 10  # that are made where others come once: whoever watches over a server asks every few seconds


@cache
def routes() -> tuple[Route, ...]:
    """Returns the table of routes."""
    health = Route("GET", "/healthz", healthz, 1 / CHECKS)
    return (Route("GET", "/ws", upgrade), *pages.routes(), health, *ROUTES)
