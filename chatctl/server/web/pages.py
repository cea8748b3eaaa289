"""The files of the page, as they are served: with what keeps a browser from doing anything else with them."""

from __future__ import annotations

import base64
import gzip
import hashlib
from typing import TYPE_CHECKING

from chatctl.server.admission import CONNECTIONS
from chatctl.server.web.request import Request, Response
from chatctl.server.web.routes import Route
from chatctl.web import HEADERS, files, links

if TYPE_CHECKING:
    from chatctl.server.session import Session
    from chatctl.server.shared import Shared

# A browser asks each time, and is told that nothing has changed: after an update it has all of the new page.
CACHE = {"Cache-Control": "no-cache"}


def routes() -> tuple[Route, ...]:
    """Returns what there is to be had of the page."""
    share = 1 / CONNECTIONS
    return tuple(Route("GET", path, _File(path, *file), share) for path, file in files().items())


class _File:
    """Answers with one file, or that it is the one which the browser has."""

    def __init__(self, path: str, kind: str, body: bytes) -> None:
        digest = hashlib.sha256(body).digest()[:12]
        self._tag = f'"{base64.urlsafe_b64encode(digest).decode()}"'
        headers = HEADERS | CACHE | {"ETag": self._tag, "Vary": "Accept-Encoding"}
        fresh = headers | {"Content-Type": kind} | ({"Link": links()} if path == "/" else {})
        self._known = Response(304, headers)
        self._fresh = Response(200, fresh, body)
        self._packed = Response(200, fresh | {"Content-Encoding": "gzip"}, gzip.compress(body, mtime=0))

    def __call__(self, _shared: Shared, _session: Session, request: Request) -> Response:
        if self._is_known(request.headers.get("if-none-match", "")):
            return self._known
        return self._packed if _takes_gzip(request.headers.get("accept-encoding", "")) else self._fresh

    def _is_known(self, tags: str) -> bool:
        """Returns whether this is one of the files that a browser has (RFC 9110 section 13.1.2)."""
        known = [tag.strip().removeprefix("W/") for tag in tags.split(",")]
        return self._tag in known or known == ["*"]


def _takes_gzip(codings: str) -> bool:
    """Returns whether a client takes what is packed by gzip (RFC 9110 section 12.5.3)."""
    for coding in codings.split(","):
        name, _, weight = coding.replace(" ", "").lower().partition(";q=")
        if name == "gzip":
            return not weight or bool(weight.strip("0."))
    return False
