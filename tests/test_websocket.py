"""The dialect of a WebSocket without a network: frames in messages, and what is no message."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from itertools import count, pairwise
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from chatctl.framing import Fault, encode_all
from chatctl.messages import MAX_SERVER_FRAME, Bye, Error, Leave, Msg, Ping, Pong, Say
from chatctl.server.dialects.dialect import Client
from chatctl.server.dialects.websocket import MAX_MESSAGE, WebSocket, encode

unhurried = settings(deadline=None)
BYE = Bye(code="shutting-down", text="the server is shutting down")
SAY = b'{"t":"say","text":"hi"}'


def frame(opcode: Opcode, data: bytes, *, fin: bool = True, mask: bool = True, rsv1: bool = False) -> bytes:
    sent = bytearray(
        Frame(opcode, data, fin).serialize(mask=mask) if fin or opcode < 8 else _cut(opcode, data)
    )
    if rsv1:
        sent[0] |= 0x40
    return bytes(sent)


def _cut(opcode: Opcode, data: bytes) -> bytes:
    """Returns a control frame that others follow, which websockets refuses to make."""
    return bytes([opcode, 0x80 | len(data)]) + bytes(4) + data


def text(data: bytes) -> bytes:
    return frame(Opcode.TEXT, data)


def admitted() -> WebSocket:
    dialect = WebSocket()
    dialect.admitted(cast(Client, None))
    return dialect


def client_reads(data: bytes) -> tuple[list[Any], Close | None]:
    """Returns what a client understands: the texts of messages, and how it was closed."""
    client = ClientProtocol(parse_uri("ws://h/"), state=OPEN, max_size=None)
    client.receive_data(data)
    assert client.parser_exc is None
    events = [event for event in client.events_received() if isinstance(event, Frame)]
    texts = [bytes(event.data) for event in events if event.opcode is Opcode.TEXT]
    return [json.loads(each) for each in texts], client.close_rcvd


def said(dialect: WebSocket, ending: Error | Bye = BYE) -> tuple[list[str], int]:
    frames, close = client_reads(dialect.farewell(ending))
    assert close is not None
    return [each["code"] for each in frames], int(close.code)


def test_a_message_is_a_frame() -> None:
    assert admitted().feed(text(SAY) + text(b'{"t":"ping","n":5}')) == [Say("hi"), Ping(5)]


@unhurried
@given(st.integers(1, 40), st.lists(st.integers(0, len(SAY)), max_size=4))
def test_in_pieces_and_in_parts(step: int, cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(SAY)]
    parts = [SAY[start:end] for start, end in pairwise(places)]
    data = b"".join(
        frame(Opcode.CONT if place else Opcode.TEXT, part, fin=place == len(parts) - 1)
        for place, part in enumerate(parts)
    )
    dialect = admitted()
    got = [each for start in range(0, len(data), step) for each in dialect.feed(data[start : start + step])]
    assert got == [Pong()] * (len(parts) - 1) + [Say("hi")]


def test_largest_and_larger() -> None:
    body = b'{"t":"ping","x":"%b"}' % (b"x" * (MAX_MESSAGE - len(b'{"t":"ping","x":""}')))
    assert len(body) == MAX_MESSAGE
    assert not isinstance(admitted().feed(text(body))[0], Fault)
    dialect = admitted()
    assert [each.code for each in faults(dialect.feed(text(body + b" ")))] == ["too-long"]
    assert said(dialect) == (["shutting-down"], 1009)


def test_what_is_too_long_is_not_waited_for() -> None:
    dialect = admitted()
    head = bytes([0x81, 0xFF]) + struct.pack("!Q", 1 << 40)
    assert [each.code for each in faults(dialect.feed(head))] == ["too-long"]


def test_many_parts_are_too_long_together() -> None:
    dialect = admitted()
    part = b"x" * 5_000
    got = [*dialect.feed(frame(Opcode.TEXT, part, fin=False))]
    for _ in range(3):
        got += dialect.feed(frame(Opcode.CONT, part, fin=False))
    assert [each.code for each in faults(got)] == ["too-long"]
    assert dialect.feed(text(SAY)) == ()


def faults(got: Iterable[Any]) -> list[Fault]:
    return [each for each in got if isinstance(each, Fault)]


@pytest.mark.parametrize(
    ("data", "close"),
    [
        (frame(Opcode.TEXT, SAY, mask=False), 1002),
        (frame(Opcode.TEXT, SAY, rsv1=True), 1002),
        (frame(Opcode.PING, b"x", fin=False), 1002),
        (bytes([0x89, 0xFE]) + struct.pack("!H", 126) + bytes(4 + 126), 1002),
        (bytes([0x83, 0x80]) + bytes(4), 1002),
        (frame(Opcode.CONT, SAY), 1002),
        (frame(Opcode.TEXT, b"{", fin=False) + text(SAY), 1002),
        (frame(Opcode.CLOSE, b"x"), 1002),
        (frame(Opcode.CLOSE, struct.pack("!H", 1005)), 1002),
        (frame(Opcode.CLOSE, struct.pack("!H", 1000) + b"\xff"), 1007),
        (frame(Opcode.BINARY, SAY), 1003),
        (text(b'{"t":"say","text":"\xff"}'), 1007),
        (text(b"\xed\xa0\x80"), 1007),
    ],
    ids=count(),  # Masks are drawn anew by each worker, which would not agree on names.
)
def test_what_is_no_message_ends_it(data: bytes, close: int) -> None:
    dialect = admitted()
    got = dialect.feed(data + text(SAY))
    assert [(each.code, each.fatal) for each in faults(got)] == [("bad-frame", True)]
    assert Say("hi") not in got
    assert dialect.feed(text(SAY)) == ()
    assert client_reads(dialect.pending()) == ([], None)
    assert said(dialect) == (["shutting-down"], close)


def test_a_message_that_is_no_frame() -> None:
    (fault,) = admitted().feed(text(b"hello"))
    assert isinstance(fault, Fault)
    assert fault.code == "bad-frame"
    (fault,) = admitted().feed(text(SAY + b"\n" + SAY))
    assert isinstance(fault, Fault)
    assert fault.fatal
    (fault,) = admitted().feed(text(b'{"t":"nothing","n":7}'))
    assert isinstance(fault, Fault)
    assert (fault.code, fault.re, fault.fatal) == ("unknown-type", 7, False)


def test_each_ping_has_its_pong_and_costs_as_much_as_a_frame() -> None:
    dialect = admitted()
    pings = [frame(Opcode.PING, b"%d" % number) for number in range(100)]
    assert dialect.feed(b"".join(pings)) == [Pong()] * 100
    pongs = dialect.pending()
    assert pongs == b"".join(
        Frame(Opcode.PONG, b"%d" % number).serialize(mask=False) for number in range(100)
    )
    assert dialect.pending() == b""
    assert dialect.feed(frame(Opcode.PONG, b"") + text(b" ") + text(b"")) == [Pong()] * 3


def test_before_the_hello_there_is_nothing_but_messages() -> None:
    dialect = WebSocket()
    assert (
        list(dialect.feed(frame(Opcode.PING, b"x") + text(b" ") + frame(Opcode.TEXT, b"", fin=False))) == []
    )
    assert dialect.pending() == b"\x8a\x01x"


@pytest.mark.parametrize(
    ("dialect", "expected"), [(admitted(), Leave()), (WebSocket(), Fault("bye", "goodbye"))]
)
def test_who_closes_is_closed(dialect: WebSocket, expected: object) -> None:
    assert dialect.feed(frame(Opcode.CLOSE, struct.pack("!H", 1001)) + text(SAY)) == [expected]
    assert dialect.pending() == b""
    assert said(dialect, Bye(code="bye", text="goodbye")) == ([], 1001)


@pytest.mark.parametrize(
    ("code", "close"),
    [
        *(
            ("bye", 1000),
            ("shutting-down", 1001),
            ("too-long", 1009),
            ("internal", 1011),
            ("server-full", 1013),
        ),
        *(("timeout", 1013), ("slow-consumer", 1013), ("banned", 1008), ("bad-frame", 1008)),
    ],
)
def test_farewells(code: str, close: int) -> None:
    assert said(admitted(), Error(code=code, text="x", fatal=True)) == ([code], close)


@pytest.mark.parametrize("size", [1, 60, 61, 62, 63, 64, 1_000, 65_000, 66_000, MAX_SERVER_FRAME - 100])
def test_frames_are_messages(size: int) -> None:
    frames = [Msg(1, 2, "lobby", "ann", "x" * size), Ping(), Msg(2, 2, "lobby", "ann", "a\nb")]
    found, close = client_reads(encode(frames))
    assert close is None
    assert found == [json.loads(line) for line in encode_all(frames).splitlines()]


def test_no_frames_are_nothing() -> None:
    assert encode([]) == b""


@unhurried
@given(st.binary(max_size=200), st.sampled_from([b"", text(SAY), frame(Opcode.TEXT, b"{", fin=False)]))
def test_noise(noise: bytes, before: bytes) -> None:
    dialect = admitted()
    whole = [*dialect.feed(before + noise)]
    again = admitted()
    data = before + noise
    pieces = [each for place in range(len(data)) for each in again.feed(data[place : place + 1])]
    assert pieces == whole
    assert client_reads(dialect.pending() + dialect.farewell(BYE))[1] is not None
