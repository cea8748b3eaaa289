"""The way from HTTP to a WebSocket (RFC 6455 section 4.2)."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from websockets import datastructures, http11
from websockets.server import ServerProtocol

from chatctl.server.dialects.websocket import WebSocket
from chatctl.server.web.request import Problem, Request, Switch
from chatctl.text import one_line

if TYPE_CHECKING:
    from chatctl.server.session import Session
    from chatctl.server.shared import Shared

VERSION = "13"


def upgrade(_shared: Shared, _session: Session, request: Request) -> Switch:
    """Answers a handshake.

    Raises:
        Problem: it is none, or not one of this version.
    """
    handshake = ServerProtocol()
    headers = datastructures.Headers(request.headers)
    response = handshake.accept(http11.Request(request.path, headers))
    if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
        text = f"no WebSocket: {one_line(str(handshake.handshake_exc))}"
        raise _problem(request, response.status_code, text)
    return Switch(dict(response.headers.raw_items()), WebSocket())


def _problem(request: Request, status: int, text: str) -> Problem:
    """Returns what is answered; whoever has another version is told which one it is here (section 4.4)."""
    if request.headers.get("sec-websocket-version", VERSION) != VERSION:
        status = HTTPStatus.UPGRADE_REQUIRED
    needed = {"Upgrade": "websocket", "Sec-WebSocket-Version": VERSION}
    return Problem(status, text, needed if status == HTTPStatus.UPGRADE_REQUIRED else {})
