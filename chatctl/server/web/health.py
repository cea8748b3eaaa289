"""Whether the server does its work: for whoever watches over it, and so for everybody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

import chatctl
from chatctl.errors import StorageError
from chatctl.server.web.request import Request, Response, json_response
from chatctl.server.web.statuses import problem_of

if TYPE_CHECKING:
    from chatctl.server.session import Session
    from chatctl.server.shared import Shared


class Health(Struct):
    """The answer where all is well."""

    status: str
    version: str


def healthz(shared: Shared, _session: Session, _request: Request) -> Response:
    """Returns that it does; or an error, where what is said could not be kept."""
    try:
        shared.log.check()
    except StorageError as error:
        return problem_of(error).response()
    return json_response(Health("ok", chatctl.__version__))
