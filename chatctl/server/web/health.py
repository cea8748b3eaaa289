"""Whether the server is there: for whoever watches over it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatctl.server.web.request import Request, Response, json_response

if TYPE_CHECKING:
    from chatctl.server.session import Session, Shared


def healthz(_shared: Shared, _session: Session, _request: Request) -> Response:
    """Returns that it is."""
    return json_response({"ok": True})
