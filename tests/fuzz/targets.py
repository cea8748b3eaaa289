"""What must hold for any bytes that come before a login: each target takes some, and raises if not."""

from __future__ import annotations

import json
import math
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from random import Random
from typing import Any

import h11
from msgspec import structs
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from chatctl import framing, names
from chatctl.errors import ChatError, Refused
from chatctl.framing import Fault, FrameReader, Language
from chatctl.invite import MAX_KEY, format_link, parse_link
from chatctl.messages import (
    LOBBY,
    MAX_CLIENT_FRAME,
    MAX_DEPTH,
    MAX_SERVER_FRAME,
    ClientFrame,
    Hello,
    Join,
    Part,
    Role,
    ServerFrame,
)
from chatctl.names import MAX_NAME, MAX_ROOM, check_name, check_room
from chatctl.server.dialects.alert import ALERT
from chatctl.server.dialects.plain import Plain
from chatctl.server.dialects.typed import MAX_LINE
from chatctl.server.first_bytes import Kind, kind_of
from chatctl.server.tls_mode import TlsMode
from chatctl.text import one_line, visible
from tests.fuzz.session import HOST, frames_in, serve

SMALL_LIMIT = 200  # bytes: short inputs find it too
LONGEST_UNKNOWN = 16  # bytes, but for empty lines

TELNET = re.compile(rb"\xff[\xfb-\xfe].", re.DOTALL)
# What a line begins with: a prompt, then who says it, or that it is the server.
LINE = re.compile(
    r"(?:(?:name|key|password|new password|once more): )*+"
    r"(?:$|(?:#\S+ )?(?:\* )?[^\W][\w.-]*(?: to [\w.-]+)?(?: \(private\))?(?::| )|(?:#\S+ )?- |! )"
)
RECORDS = b"\x14\x15\x16\x17"  # of TLS: a change of cipher, an alert, a handshake, data
FAULTS = {"too-long", "bad-frame", "unknown-type", "unsupported-version"}

_CLIENT: Language[ClientFrame] = Language(ClientFrame)
_SERVER: Language[ServerFrame] = Language(ServerFrame)


def client_frames(data: bytes) -> None:
    """What a client sends is frames and faults, the same in all pieces."""
    for limit in (MAX_CLIENT_FRAME, SMALL_LIMIT):
        _read(_CLIENT, limit, data)


def server_frames(data: bytes) -> None:
    """What a server sends is frames and faults, the same in all pieces."""
    for limit in (MAX_SERVER_FRAME, SMALL_LIMIT):
        _read(_SERVER, limit, data)


def _read(language: Language[Any], limit: int, data: bytes) -> None:
    reader = FrameReader(language, limit)
    whole = reader.feed(data)
    assert reader.stopped is any(isinstance(got, Fault) and got.fatal for got in whole)
    lines = [line for line in data.split(b"\n")[:-1] if line and not line.isspace()]
    if reader.stopped:
        assert all(not (isinstance(got, Fault) and got.fatal) for got in whole[:-1])
        assert reader.feed(b'{"t":"ping"}\n') == []
    else:
        assert len(whole) == len(lines)
    for got, line in zip(whole, lines, strict=False):
        _check_one(language, got, line, limit)
    for cut in (_anywhere, _byte_by_byte):
        assert _in_pieces(FrameReader(language, limit), cut(data), limit) == whole


def _check_one(language: Language[Any], got: Any, line: bytes, limit: int) -> None:
    """What is taken for a frame is JSON, neither too long nor too deep, and can be sent as it came."""
    if isinstance(got, Fault):
        assert got.code in FAULTS
        assert one_line(got.text) == got.text
        return
    assert len(line) < limit
    assert _nesting(json.loads(line.decode(), parse_int=float)) <= MAX_DEPTH
    with suppress(UnicodeEncodeError):  # Lone surrogates can be read, so that they can be answered.
        assert _endless(got) or language.decode(framing.encode(got)) == got


def _endless(got: Any) -> bool:
    """Returns whether a frame has a number like 1e999, which is read as infinity and cannot be written."""
    return math.inf in (getattr(got, "retry", None), getattr(getattr(got, "limits", None), "rate", None))


def _nesting(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(_nesting, inner), default=0)


def _in_pieces(reader: FrameReader[Any], pieces: Iterator[bytes], limit: int) -> list[Any]:
    """Returns what the pieces mean; of what is no frame yet, no more is kept than a frame may have."""
    got = []
    for piece in pieces:
        got += reader.feed(piece)
        assert len(reader._tail) < limit
    return got


def _anywhere(data: bytes) -> Iterator[bytes]:
    """Cuts `data` at places that it says itself, so that a finding can be tried again."""
    random = Random(zlib.crc32(data))
    start = 0
    while start < len(data):
        end = start + random.randint(1, random.choice((3, 20, 500)))
        yield data[start:end]
        start = end


def _byte_by_byte(data: bytes) -> Iterator[bytes]:
    return (data[place : place + 1] for place in range(len(data)))


def links(data: bytes) -> None:
    """A link is taken, and means the same when it is written; or refused in a line without its key."""
    link = data.decode(errors="surrogateescape")
    try:
        invitation = parse_link(link)
    except ChatError as error:
        assert one_line(str(error)) == str(error)
        front, _, key = link.partition("#")
        assert len(key) < 16 or key in front or key not in str(error)
        return
    assert 1 <= invitation.port <= 65_535
    assert invitation.host.isprintable() and invitation.host
    assert len(invitation.key.encode()) <= MAX_KEY
    assert check_room(invitation.room) == invitation.room
    assert parse_link(format_link(invitation)) == invitation
    assert repr(invitation) == repr(structs.replace(invitation, key=""))


def people_and_rooms(data: bytes) -> None:
    """A name or a room is taken or refused; one that is taken is short, can be sent, and stays what it is."""
    value = data.decode(errors="surrogateescape")
    for check, limit in ((check_name, MAX_NAME), (check_room, MAX_ROOM)):
        try:
            taken = check(value)
        except Refused as error:
            assert one_line(str(error)) == str(error)
            continue
        assert 1 <= len(taken) <= limit
        assert taken.isprintable()
        assert check(taken) == taken
        assert taken.encode().decode() == taken
        assert names.fold(names.fold(taken)) == names.fold(taken)
        assert names.skeleton(taken)


def first_bytes(data: bytes) -> None:
    """What a client speaks is known from its first bytes, and more of them change nothing about that."""
    kinds = [kind_of(data[:size]) for size in range(len(data) + 1)]
    known = [kind for kind in kinds if kind is not None]
    assert kinds == [None] * (len(kinds) - len(known)) + known
    assert len(set(known)) <= 1
    assert len(known) >= len(data.lstrip(b"\r\n")) - LONGEST_UNKNOWN


def session(data: bytes) -> None:
    """Whatever a client sends first, it is answered in frames, and refused with an end, or let in."""
    received = serve(data)
    match kind_of(data):
        case Kind.tls:
            assert received == ALERT
        case Kind.http:
            check_http(received)
        case Kind.native:
            _check_frames(frames_in(received))
        case _:
            check_lines(received)


def _check_frames(frames: list[dict[str, Any]]) -> None:
    if not frames or frames[0].get("t") == "welcome":
        return
    assert [(frame["t"], frame["fatal"]) for frame in frames] == [("error", True)]
    assert frames[0]["code"] != "internal"


def closed(data: bytes) -> None:
    """Whatever a client sends first, it is not let in where it would need a key."""
    received = serve(data, closed=True)
    match kind_of(data):
        case Kind.http:
            assert not {frame["t"] for frame in check_http(received)} - {"error"}
        case Kind.native:
            assert not {frame["t"] for frame in frames_in(received)} - {"error"}


def tls(data: bytes) -> None:
    """Whatever a client sends in place of TLS, it is answered in TLS, or told that this is needed."""
    received = serve(data, TlsMode.required)
    if kind_of(data) is Kind.tls:
        assert not received or received[0] in RECORDS
    elif kind_of(data) is Kind.native:
        assert [frame["code"] for frame in frames_in(received)] == ["tls-required"]
    elif kind_of(data) is Kind.http:
        assert received.startswith(b"HTTP/1.1 426 ")
        check_http(received)
    elif received:
        check_lines(received)
        assert received.startswith(b"! this server takes encrypted connections only")


GET = f"GET /healthz HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
POST = f"POST /nothing HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n".encode()
UPGRADE = (
    f"GET /ws HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
).encode()
HELLO = Frame(Opcode.TEXT, b'{"t":"hello","v":1,"name":"ann"}').serialize(mask=True)


def http(data: bytes) -> None:
    """Whatever a client sends over HTTP, or behind what it did so, it is answered in HTTP."""
    for before in (b"GET ", GET, POST, UPGRADE.removesuffix(b"\r\n")):
        check_http(serve(before + data))


def websocket(data: bytes) -> None:
    """Whatever a client sends in a WebSocket, it is answered in messages, with an end if it is refused."""
    _check_frames(check_http(serve(UPGRADE + data)))
    check_http(serve(UPGRADE + HELLO + data))


def check_http(received: bytes) -> list[dict[str, Any]]:
    """What is received is whole answers, and nothing behind them; returns the frames of a WebSocket."""
    while received:
        assert not received.startswith(b"HTTP/1.1 5") or received[9:12] in (b"501", b"505"), received
        if received.startswith(b"HTTP/1.1 101 "):
            return _check_messages(received.partition(b"\r\n\r\n")[2])
        reader = h11.Connection(h11.CLIENT)
        reader.send(h11.Request(method="GET", target="/", headers=[("Host", HOST)]))
        reader.send(h11.EndOfMessage())
        reader.receive_data(received)
        while not isinstance(event := reader.next_event(), h11.EndOfMessage):
            assert isinstance(event, h11.Response | h11.InformationalResponse | h11.Data)
            _check_head(event)
        received = reader.trailing_data[0]
    return []


def _check_head(event: Any) -> None:
    """An answer is no page of another's making, and its errors are one line of JSON."""
    if isinstance(event, h11.Response):
        assert (b"x-content-type-options", b"nosniff") in event.headers
    elif isinstance(event, h11.Data) and event.data.startswith(b"{"):
        assert json.loads(event.data)
        assert event.data.count(b"\n") == 1


def _check_messages(received: bytes) -> list[dict[str, Any]]:
    reader = ClientProtocol(parse_uri(f"ws://{HOST}/"), state=OPEN, max_size=None)
    reader.receive_data(received)
    assert reader.parser_exc is None
    events = [event for event in reader.events_received() if isinstance(event, Frame)]
    return [json.loads(bytes(event.data)) for event in events if event.opcode is Opcode.TEXT]


def plain(data: bytes) -> None:
    """What somebody types asks for the same in all pieces, and no more of it is kept than is waited for."""
    whole = typed_in(iter((data,)))
    for cut in (_anywhere, _byte_by_byte):
        assert typed_in(cut(data)) == whole


class _Guest:
    """Somebody who is let in, and into every room."""

    name = "ann"
    role: Role = "member"

    def __init__(self) -> None:
        self.rooms = {LOBBY: None}

    def follow(self, frame: Any) -> None:
        if isinstance(frame, Join):
            self.rooms[frame.room] = None
        elif isinstance(frame, Part):
            self.rooms.pop(frame.room, None)


def typed_in(pieces: Iterator[bytes]) -> list[Any]:
    """Returns what is asked for by somebody who types `pieces`, and is let in under any name."""
    dialect, guest = Plain(), _Guest()
    got: list[Any] = []
    for data in (*pieces, b""):
        frames = [*dialect.feed(data)]
        if len(got) + len(frames) and not any(isinstance(frame, Hello) for frame in got):
            frames += _let_in(dialect, guest, frames[0])
        for frame in frames:
            guest.follow(frame)
        got += frames
        check_lines(dialect.pending())
        assert len(dialect._typed._line) <= MAX_LINE
        if any(isinstance(frame, Fault) and frame.fatal for frame in frames):
            break
    return got


def _let_in(dialect: Plain, guest: _Guest, frame: Any) -> list[Any]:
    """Lets somebody in who says hello."""
    return [*dialect.admitted(guest)] if isinstance(frame, Hello) else []


def check_lines(received: bytes) -> None:
    """What is shown to people has no controls but those of telnet, and each line says whose it is."""
    text = TELNET.sub(b"", received).replace(b"\r\n", b"\n").decode()
    assert visible(text) == text
    assert "\t" not in text
    for line in text.split("\n"):
        assert LINE.match(line), line


TARGETS: dict[str, Callable[[bytes], None]] = {
    "client-frames": client_frames,
    "server-frames": server_frames,
    "links": links,
    "names": people_and_rooms,
    "first-bytes": first_bytes,
    "session": session,
    "closed": closed,
    "tls": tls,
    "plain": plain,
    "http": http,
    "websocket": websocket,
}
