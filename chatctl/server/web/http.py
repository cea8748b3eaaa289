"""One HTTP/1.1 connection (RFC 9112): bytes in, requests out; answers in, bytes out. No I/O.

It is a dialect too, in which nothing is said but answers: that is how a session takes leave by it.

h11 does the parsing. What it takes and others might understand in another way is refused here: a request with
both Content-Length and Transfer-Encoding, and one of HTTP/1.0 with the latter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from email.utils import formatdate
from http import HTTPStatus

import h11

from chatctl.messages import HANDSHAKE_SECONDS, Bye, Error, Frame
from chatctl.server.dialects.dialect import Client, Frames
from chatctl.server.people import Encode
from chatctl.server.web.request import MAX_BODY, Headers, Problem, Request, Response, Streaming
from chatctl.server.web.statuses import problem_of

MAX_HEAD = 16 * 1024  # bytes
MAX_TARGET = 4096  # bytes
KEEP_ALIVE_SECONDS = 5.0  # for which a connection is kept on which nothing is asked for
MAX_TAKEN = MAX_HEAD + 4 * MAX_BODY  # bytes of one request, with what chunks cost
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_WITH_BODY = {"POST", "PUT", "PATCH"}
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f]")


class HttpConnection:
    """The server's end of an HTTP connection.

    Args:
        check: called with each request before its body is asked for; raises `Problem`.

    Attributes:
        over: no further request is taken; the connection is to be closed once all is sent.
    """

    answers_pings = False

    def __init__(self, check: Callable[[Request], None] = lambda _: None) -> None:
        self.encode: Encode = _say_nothing
        self._check = check
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        self._request: Request | None = None  # whose body is not complete
        self._method = ""
        self._refused: Problem | None = None  # to be said when the request is complete
        self._body = bytearray()
        self._taken = 0
        self._answered = False
        self._wrap: Callable[[bytes], bytes] | None = None  # of an answer that goes on
        self._last = b""
        self.over = False
        self.seconds: float = HANDSHAKE_SECONDS

    def feed(self, data: bytes) -> Frames:
        """Takes what the client sent; `receive` says what it means."""
        if data:  # To h11 nothing would be the end.
            self.seconds = HANDSHAKE_SECONDS
            if self._is_between():
                data = data.lstrip(b"\r\n")  # Empty lines in front are passed over (RFC 9112 section 2.2).
            self._taken += len(data)
            if data:
                self._h11.receive_data(data)
        return ()

    def _is_between(self) -> bool:
        """Returns whether nothing has come yet of the next request."""
        return self._h11.their_state is h11.IDLE and not self._h11.trailing_data[0]

    def pending(self) -> bytes:
        """Returns what is to be sent before anything else: that the client may send its body."""
        if self._request is None or not self._h11.they_are_waiting_for_100_continue:
            return b""
        return self._send(h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue"))

    def rest(self) -> bytes:
        """Returns what the client sent behind the last request."""
        return bytes(self._h11.trailing_data[0])

    def receive(self) -> Request | None:
        """Returns the next request, once it is complete. To be called again once it was answered.

        Raises:
            Problem: it is none, or not to be answered otherwise than by this.
        """
        try:
            return self._receive()
        except h11.RemoteProtocolError as error:
            raise self._broken(error) from None

    def _receive(self) -> Request | None:
        while True:
            event = self._h11.next_event()
            if isinstance(event, h11.Request):
                self._begin(event)
            elif isinstance(event, h11.Data):
                self._body += event.data
                if len(self._body) > MAX_BODY:
                    raise _too_large()
            elif isinstance(event, h11.EndOfMessage):
                return self._complete()
            elif self._request and self._taken > MAX_TAKEN:
                raise _too_large()
            else:
                return None

    def _begin(self, event: h11.Request) -> None:
        self._method = event.method.decode()
        request = _request_of(event)
        if self._taken - len(self._h11.trailing_data[0]) > MAX_HEAD:
            raise _head_too_long()
        _check_framing(event, request)
        try:
            self._check(request)
        except Problem as problem:
            if problem.close or _has_body(request):
                raise
            self._refused = problem
        self._request = request

    def _complete(self) -> Request:
        assert self._request is not None
        request, body = self._request, bytes(self._body)
        self._request = None
        self._body.clear()
        self._taken = len(self._h11.trailing_data[0])
        if problem := self._refused:
            self._refused = None
            raise problem
        return Request(request.method, request.path, request.query, request.headers, body)

    def _broken(self, error: h11.RemoteProtocolError) -> Problem:
        status = error.error_status_hint
        if status != HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
            # What h11 says behind that are the bytes, as Python writes them.
            what = str(error).partition(": bytearray(")[0]
            return Problem(status, f"this is not HTTP/1.1: {what}", close=True)
        if b"\n" not in self._h11.trailing_data[0]:
            return _target_too_long()
        return _head_too_long()

    # Answers

    def answer(self, response: Response) -> bytes:
        """Returns the bytes of an answer to the request that came last, or to one that is not complete."""
        # A body that nobody asked for stays unread, and what follows it cannot be told from it.
        unread = self._h11.their_state not in (h11.DONE, h11.MUST_CLOSE)
        options = ["close"] * (response.close or unread) + ["Upgrade"] * ("Upgrade" in response.headers)
        headers = response.headers | ({"Connection": ", ".join(options)} if options else {})
        if response.status != HTTPStatus.NOT_MODIFIED:
            headers |= {"Content-Length": str(len(response.body))}
        parts = [self._head(response.status, headers)]
        if response.body and not self.is_head:
            parts.append(self._send(h11.Data(data=response.body)))
        parts.append(self._send(h11.EndOfMessage()))
        self._go_on()
        return b"".join(parts)

    def stream(self, answer: Streaming) -> tuple[bytes, Callable[[bytes], bytes]]:
        """Returns the head of an answer that goes on, and what makes of each piece what is sent."""
        self.encode = answer.encode
        head = self._head(answer.status, answer.headers | {"Connection": "close"})
        self._answered = self.over = True
        if self.is_head:
            return head, _nothing
        if self._h11.their_http_version == b"1.0":
            self._wrap = bytes
        else:
            self._wrap, self._last = chunk, b"0\r\n\r\n"
        return head, self._wrap

    @property
    def is_head(self) -> bool:
        """Whether the request that came last asks for the head of the answer alone."""
        return self._method == "HEAD"

    def switch(self, headers: Headers) -> bytes:
        """Returns the answer that another protocol begins behind it."""
        self._answered = self.over = True
        reason = HTTPStatus.SWITCHING_PROTOCOLS.phrase.encode()
        return self._send(h11.InformationalResponse(status_code=101, headers=_fields(headers), reason=reason))

    def farewell(self, ending: Error | Bye) -> bytes:
        """Returns the answer that is still owed, or the end of the one that goes on."""
        if self._wrap is not None:
            return self._wrap(self.encode([ending])) + self._last
        if self._h11.our_state not in (h11.IDLE, h11.SEND_RESPONSE) or not self._owes():
            return b""
        problem = problem_of(ending)
        if ending.code == "timeout":
            problem = Problem(problem.status, f"no request within {self.seconds:.0f} seconds")
        problem.close = True
        return self.answer(problem.response())

    def _owes(self) -> bool:
        begun = self._request is not None or bool(self._h11.trailing_data[0])
        return begun or not self._answered or self._h11.our_state is h11.SEND_RESPONSE

    def admitted(self, _client: Client) -> Frames:
        """Returns nothing."""
        return ()

    def refused(self, _error: Error) -> None:
        """Returns None."""

    def _head(self, status: int, headers: Headers) -> bytes:
        fields = _fields({"Date": formatdate(usegmt=True)} | SECURITY | headers)
        reason = HTTPStatus(status).phrase.encode()
        return self._send(h11.Response(status_code=status, headers=fields, reason=reason))

    def _send(self, event: h11.Event) -> bytes:
        return self._h11.send(event) or b""

    def _go_on(self) -> None:
        self._answered = True
        if self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE:
            self._h11.start_next_cycle()
            self.seconds = KEEP_ALIVE_SECONDS
        else:
            self.over = True


def chunk(data: bytes) -> bytes:
    """Returns `data` as a chunk (RFC 9112 section 7.1); nothing for nothing, which would be the last one."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def _say_nothing(_frames: Iterable[Frame]) -> bytes:
    return b""


def _fields(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]


def _nothing(data: bytes) -> bytes:
    return data[:0]


def _request_of(event: h11.Request) -> Request:
    """Returns what the head of a request says.

    Raises:
        Problem: it says what is not understood here.
    """
    if event.http_version not in (b"1.0", b"1.1"):
        raise Problem(505, "this is HTTP/1.1", close=True)
    if len(event.target) > MAX_TARGET:
        raise _target_too_long()
    path, _, query = event.target.decode("latin-1").partition("?")
    if not path.startswith("/"):
        raise Problem(400, "what is asked for begins with a slash", close=True)
    headers: Headers = {}
    for name, value in event.headers:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        if _CONTROL.search(text):  # Which h11 takes, and whoever reads it further on may not.
            raise Problem(400, "this is not HTTP/1.1: illegal header line", close=True)
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    if event.http_version == b"1.0":
        headers.pop("upgrade", None)  # It counts for nothing there (RFC 9110 section 7.8).
    return Request(event.method.decode(), path, query, headers)


def _check_framing(event: h11.Request, request: Request) -> None:
    """Refuses what says in two ways, or in none, where the body ends.

    Raises:
        Problem: what follows cannot be trusted.
    """
    length = request.headers.get("content-length")
    coded = "transfer-encoding" in request.headers
    if coded and (length is not None or event.http_version == b"1.0"):
        raise Problem(400, "how long the body is has to be said in one way", close=True)
    if request.method in _WITH_BODY and not coded and length is None:
        raise Problem(411, "how long the body is has to be said", close=True)
    if request.headers.get("expect", "100-continue").lower() != "100-continue":
        raise Problem(417, "what is expected is not done here", close=True)
    if length is not None and int(length) > MAX_BODY:
        raise _too_large()


def _has_body(request: Request) -> bool:
    return "transfer-encoding" in request.headers or int(request.headers.get("content-length", "0")) > 0


def _too_large() -> Problem:
    return Problem(413, f"a body has at most {MAX_BODY} bytes", close=True)


def _head_too_long() -> Problem:
    return Problem(431, f"the head of a request has at most {MAX_HEAD} bytes", close=True)


def _target_too_long() -> Problem:
    return Problem(414, f"what is asked for has at most {MAX_TARGET} bytes", close=True)
