"""A client that speaks HTTP, on its session's thread: whatever it asks for is answered in its turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import structs

from chatctl.errors import Refused
from chatctl.server.penalties import Offence
from chatctl.server.web.http import HttpConnection
from chatctl.server.web.request import Answer, Place, Problem, Request, Streaming, Switch
from chatctl.server.web.routes import Found, find
from chatctl.server.web.statuses import problem_of
from chatctl.server.web.table import routes

if TYPE_CHECKING:
    from chatctl.server.session import Session
    from chatctl.server.shared import Shared


def prepare() -> None:
    """Does once what the first browser would have to wait for."""
    routes()


class Visit:
    """What one client asks for, on one connection.

    Args:
        shared: what all sessions share.
        session: the client's; it says what it has to say by HTTP from now on.
        place: where the connection arrived.
    """

    def __init__(self, shared: Shared, session: Session, place: Place) -> None:
        self._shared = shared
        self._session = session
        self._place = place
        self._http = HttpConnection(self._check)
        self._found: Found | None = None
        session.speak(self._http)

    def serve(self, data: bytes) -> bytes | None:
        """Answers until that is over.

        Args:
            data: the first the client said.

        Returns:
            What came behind a request to go on in another language, which may be nothing; the session speaks
            that from then on. None if the client asked for no such thing.
        """
        while data:
            self._http.feed(data)
            while (answer := self._next()) is not None:
                if isinstance(answer, Switch):
                    return self._switch(answer)
                if isinstance(answer, Streaming):
                    self._stream(answer)
                else:
                    self._session.send(self._http.answer(answer))
                    # Who asks on without reading is answered no faster than that.
                    self._session.caught_up()
                    self._session.wait_for_request()
                if self._http.over or self._session.ends:
                    return None
            self._session.send(self._http.pending())
            data = self._session.hear()
        return None

    def _next(self) -> Answer | None:
        """Returns the answer to the next request; None while that is not complete."""
        try:
            request = self._http.receive()
            return self._answer(request) if request else None
        except Problem as problem:
            if problem.close:  # What only those ask who are no clients of this server.
                self._shared.admission.penalize(self._session.address, Offence.BROKEN)
            return problem.response()
        except Refused as refusal:
            return problem_of(refusal).response()

    def _check(self, request: Request) -> None:
        """Refuses what is not to be answered, before its body comes."""
        self._shared.sites.check(request, self._place)
        self._found = find(routes(), request)

    def _answer(self, request: Request) -> Answer:
        assert self._found is not None
        self._session.attend()
        route = self._found.route
        if route.share < 1 and not self._session.served:
            self._shared.admission.credit(self._session.address, 1 - route.share)
        asked = structs.replace(request, parts=self._found.parts, place=self._place)
        return route.answer(self._shared, self._session, asked)

    def _stream(self, answer: Streaming) -> None:
        send = self._session.send
        head, wrap = self._http.stream(answer)
        send(head)
        if self._http.is_head:
            return
        self._session.stay()
        self._session.encode = answer.encode
        self._session.send = lambda data: send(wrap(data))
        try:
            answer.begin()
            while self._session.hear():
                pass  # Nothing else is answered on this connection.
        finally:
            answer.end()

    def _switch(self, answer: Switch) -> bytes:
        self._session.send(self._http.switch(answer.headers))
        self._session.go_on(answer.dialect)
        return self._http.rest()
