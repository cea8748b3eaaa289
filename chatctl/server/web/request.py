"""What is asked for over HTTP, and what is answered. Knows no sockets."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct, json

from chatctl.errors import ChatError
from chatctl.server.dialects.dialect import Dialect
from chatctl.server.people import Encode

MAX_BODY = 16 * 1024  # bytes

# What says the same as a status in one word; for all others ``bad-request``.
_CODES = {
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    408: "timeout",
    413: "too-long",
    414: "too-long",
    415: "unsupported-type",
    431: "too-long",
}

Headers = dict[str, str]


class Place(Struct, frozen=True):
    """Where a connection arrived.

    Attributes:
        address: of this machine.
        port: the server's.
        tls: by TLS.
    """

    address: str
    port: int
    tls: bool

    @property
    def scheme(self) -> str:
        """What addresses of it begin with."""
        return "https" if self.tls else "http"


class Request(Struct, frozen=True):
    """What a client asks for.

    Attributes:
        method: in capitals; ``HEAD`` is asked as ``GET``, and its answer sent without the body.
        path: without the query, not decoded.
        query: what stands behind the question mark, not decoded.
        headers: by name in small letters; of those that come several times the values stand behind commas.
        body: bytes, at most `MAX_BODY`.
        parts: what stands in the path where the route has ``{name}``, decoded.
        place: where it arrived.
    """

    method: str
    path: str
    query: str = ""
    headers: Headers = {}
    body: bytes = b""
    parts: dict[str, str] = {}
    place: Place = Place("", 0, tls=False)


class Response(Struct, frozen=True):
    """An answer that is known as a whole.

    Attributes:
        status: of HTTP, 200 or above.
        headers: besides those that say how long it is, and when it was made.
        body: bytes.
        close: the connection ends behind it.
    """

    status: int
    headers: Headers = {}
    body: bytes = b""
    close: bool = False


class Streaming(Struct, frozen=True):
    """An answer whose body comes piece by piece, for as long as the client stays.

    The connection ends with it.

    Attributes:
        headers: as of a `Response`.
        encode: makes pieces of frames; the session's from then on, also for its farewell.
        begin: called once the head was sent, on the session's thread. From then on the session's `send` sends
            a piece, from any thread, without waiting. When `begin` returns, the answer goes on.
        end: called when the client, or the server, has ended it.
        status: of HTTP.
    """

    headers: Headers
    encode: Encode
    begin: Callable[[], None]
    end: Callable[[], None] = lambda: None
    status: int = 200


class Switch(Struct, frozen=True):
    """The answer that the connection goes on in another language.

    Attributes:
        headers: of the answer.
        dialect: the client's end of that language.
    """

    headers: Headers
    dialect: Dialect


Answer = Response | Streaming | Switch


class Problem(ChatError):
    """Something is asked for that is not answered, or not so.

    Attributes:
        status: of HTTP, 400 or above.
        headers: to be sent with it.
        close: the connection ends behind it, since what follows cannot be trusted.
        code: of the protocol where one says the same, for programs; that of its status if left out.
    """

    def __init__(
        self, status: int, text: str, headers: Headers | None = None, *, close: bool = False, code: str = ""
    ) -> None:
        super().__init__(text, code=code or _CODES.get(status, "bad-request"))
        self.status = status
        self.headers = headers or {}
        self.close = close

    def response(self) -> Response:
        """Returns the answer that says so."""
        answer = json_response({"error": {"code": self.code, "text": str(self)}}, self.status, self.headers)
        return Response(answer.status, answer.headers, answer.body, close=self.close)


def json_response(value: object, status: int = 200, headers: Headers | None = None) -> Response:
    """Returns `value` as one line of JSON."""
    kind = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return Response(status, kind | (headers or {}), json.encode(value) + b"\n")
