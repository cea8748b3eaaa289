"""Posting to a room without being in it: the answer comes once the message is where it will not be lost."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from chatctl.errors import NotProven, Refused, StorageError
from chatctl.framing import encode_all
from chatctl.history.log import Post
from chatctl.messages import MAX_NONCE, Ack, Error, Frame, Kind
from chatctl.names import check_room
from chatctl.server import permissions
from chatctl.server.api import query
from chatctl.server.api.caller import Caller, agent_of, identify
from chatctl.server.api.reading import no_such_room
from chatctl.server.people import Encode, Person
from chatctl.server.room import POST_SIZE, PostSet
from chatctl.server.web.request import Problem, Request, Response, json_response
from chatctl.text import check_text

if TYPE_CHECKING:
    from chatctl.server.session import Session
    from chatctl.server.shared import Shared

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 60.0  # for the disk

_Answer = Ack | Error
_decoder: msgspec.json.Decoder[_Answer] = msgspec.json.Decoder(_Answer)


class Said(msgspec.Struct):
    """A message, as JSON says it."""

    text: str
    kind: Kind = "text"


class Posted(msgspec.Struct):
    """What is answered: where the message stands now."""

    room: str
    id: int
    at: int


class Poster:
    """One who posts one message from outside, and waits until it is accepted.

    Args:
        person: who that is.
    """

    __slots__ = ("_answer", "_answered", "author", "encode", "name", "person")

    def __init__(self, person: Person) -> None:
        self.person = person
        self.name = person.name
        self.author = person.author
        self.encode: Encode = encode
        self._answer = b""
        self._answered = threading.Event()

    def send(self, data: bytes) -> None:
        """Takes what the room answers."""
        self._answer = data
        self._answered.set()

    def caught_up(self) -> bool:
        """Returns True: nothing else is sent."""
        return True

    def wait(self) -> Ack:
        """Returns the room's answer.

        Raises:
            Refused: the message is not kept; ``storage`` also where that is not known.
        """
        if not self._answered.wait(PATIENCE_SECONDS):
            raise StorageError("the disk is too slow: it may be kept or not")
        answer = _decoder.decode(self._answer)
        if isinstance(answer, Error):
            raise Refused(answer.code, answer.text)
        return answer


def encode(frames: Iterable[Frame]) -> bytes:
    """Returns what is answered to those who post from outside; a language of their own."""
    return encode_all(frames)


def post(shared: Shared, session: Session, request: Request) -> Response:
    """Posts what stands in the body."""
    caller = identify(shared, session, request)
    if not caller.name:
        raise NotProven("auth-required", "say who posts: curl -u NAME:KEY, or NAME: without a key", "key")
    query.fields(request, ())
    room = check_room(request.parts["room"])
    nonce = _nonce(request)
    said = _said(request)
    check_text(said.text)
    _demand_right(shared, caller, room)
    with shared.hub.people.visit(caller.name, caller.account) as person:
        ack = _publish(shared, person, room, Post(person.name, person.author, said.text, said.kind, nonce))
    assert ack.id is not None
    _note(session, caller, request)
    return json_response(Posted(room, ack.id, ack.at), 201)


def _demand_right(shared: Shared, caller: Caller, room: str) -> None:
    """Makes sure that the one who posts may do so, in a room that is made if there is none."""
    book = shared.book
    if not permissions.may_see(book, caller, room) and not permissions.may_enter(book, caller, room):
        raise no_such_room()
    permissions.demand_entry(book, caller, room, exists=shared.hub.has_room(room))
    permissions.demand_voice(book, caller, room)


def _publish(shared: Shared, person: Person, name: str, post: Post) -> Ack:
    size = len(post.text) + POST_SIZE
    while True:
        room = shared.hub.open_room(name)
        poster = Poster(person)
        room.publish(PostSet(poster, [post], [None], nonced=True, size=size, outside=True))
        try:
            return poster.wait()
        except Refused as refusal:
            shared.hub.close_if_unused(room)
            if refusal.code != "closed":
                raise


def _note(session: Session, caller: Caller, request: Request) -> None:
    """Logs who posts, once on a connection, as is logged of others that they came."""
    if session.posts_as != caller.name:
        session.posts_as = caller.name
        extra = {"client": caller.name, "address": caller.address}
        log.info("%s posts from %s (%s)", caller.name, caller.address, agent_of(request), extra=extra)


# What is asked


def _nonce(request: Request) -> str | None:
    nonce = request.headers.get("idempotency-key")
    if nonce is not None and not (0 < len(nonce) <= MAX_NONCE and nonce.isascii() and nonce.isprintable()):
        raise Problem(400, f"an Idempotency-Key has 1 to {MAX_NONCE} printable characters of ASCII")
    return nonce


def _said(request: Request) -> Said:
    """Returns what the body says.

    What ``curl -d`` sends is called a form, and is the text itself all the same.
    """
    kind, _, parameters = request.headers.get("content-type", "text/plain").lower().partition(";")
    charset = parameters.partition("charset=")[2].partition(";")[0].strip(' "')
    if charset not in ("", "utf-8", "utf8", "us-ascii"):
        raise Problem(415, "a text comes in UTF-8")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Problem(415, "a body comes as it is, not packed")
    match kind.strip():
        case "text/plain" | "application/x-www-form-urlencoded":
            return Said(_text(request.body))
        case "application/json":
            return _json(request.body)
    raise Problem(415, "a body is text/plain, or application/json with text and kind")


def _text(body: bytes) -> str:
    """Returns a text, without the line end that a pipe has behind its last line."""
    try:
        return body.decode().replace("\r\n", "\n").removesuffix("\n")
    except UnicodeDecodeError:
        raise Refused("bad-text", "a text is UTF-8") from None


def _json(body: bytes) -> Said:
    try:
        return msgspec.json.decode(body, type=Said)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, f"the body is no message: {error}") from None
