"""Bytes to frames: whole or in pieces, well-formed or not, up to the limits and one past them."""

from __future__ import annotations

import json
import tracemalloc
import weakref
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import pairwise
from typing import Any, get_args

import msgspec
import msgspec.inspect
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chatctl.framing import (
    Fault,
    FrameReader,
    Language,
    depth,
    encode,
    encode_all,
    server_frames,
)
from chatctl.messages import (
    MAX_CLIENT_FRAME,
    MAX_DEPTH,
    MAX_SERVER_FRAME,
    Ack,
    Away,
    ClientFrame,
    Error,
    Frame,
    Hello,
    Leave,
    ListRooms,
    Members,
    Msg,
    Ping,
    Pong,
    Say,
    ServerFrame,
    SetAway,
    SetTopic,
    User,
)
from chatctl.server.dialects.native import Native

thorough = settings(deadline=None, database=None)
CLIENT_TYPES: tuple[type[Frame], ...] = get_args(ClientFrame)
SERVER_TYPES: tuple[type[Frame], ...] = get_args(ServerFrame)
SMALL_LIMIT = 64
PING = b'{"t":"ping"}\n'


# Making frames


def values(type_: msgspec.inspect.Type) -> st.SearchStrategy[Any]:
    """Returns what a key of this type may hold."""
    match type_:
        case msgspec.inspect.NoneType():
            return st.none()
        case msgspec.inspect.BoolType():
            return st.booleans()
        case msgspec.inspect.IntType(ge=low, le=high):
            return st.integers(-(2**53) + 1 if low is None else low, 2**53 - 1 if high is None else high)
        case msgspec.inspect.FloatType():
            return st.floats(allow_nan=False, allow_infinity=False)
        case msgspec.inspect.StrType():
            return st.text(max_size=12)
        case msgspec.inspect.LiteralType(values=choices):
            return st.sampled_from(choices)
        case msgspec.inspect.UnionType(types=types):
            return st.one_of(*map(values, types))
        case msgspec.inspect.ListType(item_type=item):
            return st.lists(values(item), max_size=3)
        case msgspec.inspect.DictType(key_type=key, value_type=value):
            return st.dictionaries(values(key), values(value), max_size=3)
        case msgspec.inspect.StructType(cls=struct):
            return structs(struct)
    raise AssertionError(f"no values for {type_}")


@cache
def structs(struct: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    """Returns structs of one type, each optional key there or not."""
    info = msgspec.inspect.type_info(struct)
    assert isinstance(info, msgspec.inspect.StructType)
    required = {field.name: values(field.type) for field in info.fields if field.required}
    optional = {field.name: values(field.type) for field in info.fields if not field.required}
    return st.fixed_dictionaries(required, optional=optional).map(lambda keys: struct(**keys))


def frames_of(types: tuple[type[Frame], ...]) -> st.SearchStrategy[list[Frame]]:
    return st.lists(st.sampled_from(types).flatmap(structs), max_size=6)


def pieces(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    """Cuts `data` at any places."""
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, end in pairwise(places):
        yield data[start:end]


def feed_all(reader: FrameReader[Any], parts: Iterable[bytes]) -> list[Any]:
    return [got for part in parts for got in reader.feed(part)]


def small_reader() -> FrameReader[ClientFrame]:
    return FrameReader(Language(ClientFrame), SMALL_LIMIT)


def read_line(line: str | bytes) -> ClientFrame | Fault:
    """Returns the one thing that a line is to the server."""
    data = line.encode() if isinstance(line, str) else line
    (got,) = Native().feed(data + b"\n")
    return got


def fault_in(line: str | bytes) -> Fault:
    got = read_line(line)
    assert isinstance(got, Fault), got
    return got


cuts = st.lists(st.integers(0, 1 << 16), max_size=12)
fragments = st.sampled_from(
    [
        *(b"\n", b"\r\n", b" ", b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"\0", b"\x0b", b"\xff"),
        *(b"\xc3", b"\xa9", b"1", b"-", b"1e400", b"NaN", b"null", b"true", b'"t":', b'"ping"', b'"n":'),
        *(b'"nonce":', b'"kind":', b'"nope"', b'"x":', b'"\\ud800"', b'"\\udc00', b"1" * 5000),
        *(b"[" * 15, b"[" * 17, b"]" * 17, b"[" * 3000, b"]" * 3000, PING, b'{"t":"say","text":"a"}\n'),
        *(b'{"t":"nope","n":7}\n', b'{"t":"say","text":"', b'{"t":"ping","x":', b"x" * SMALL_LIMIT),
    ]
)
noise = st.one_of(st.binary(max_size=200), st.lists(fragments, max_size=12).map(b"".join))


# Whole and in pieces


@pytest.mark.parametrize(("types", "make_reader"), [(CLIENT_TYPES, Native), (SERVER_TYPES, server_frames)])
@thorough
@given(data=st.data())
def test_frames_come_back_however_their_bytes_are_cut(
    data: st.DataObject, types: Any, make_reader: Any
) -> None:
    frames = data.draw(frames_of(types))
    stream = encode_all(frames)
    assert stream == b"".join(map(encode, frames))
    assert feed_all(make_reader(), pieces(stream, data.draw(cuts))) == frames


@pytest.mark.parametrize("make_reader", [Native, server_frames, small_reader])
@thorough
@given(stream=noise, cuts=cuts)
@example(stream=b'{"t":"ping","x":' + b"[" * 16 + b"]" * 16 + b"}\n", cuts=[24])
@example(stream=b'{"t":"ping","x":' + b"[" * 8000 + b"]" * 8000 + b"}\n", cuts=[8016])
@example(stream=b'{"t":"\\ud800"}\n', cuts=[])
@example(stream=b'{"t":"say","text":"a","kind":"\\ud800"}\n', cuts=[])
@example(stream=b'{"t":"say","text":1,"nonce":"\\ud800"}\n', cuts=[])
def test_any_bytes_mean_the_same_in_pieces_and_never_raise(
    make_reader: Any, stream: bytes, cuts: list[int]
) -> None:
    whole = make_reader()
    got = whole.feed(stream)
    assert feed_all(make_reader(), pieces(stream, cuts)) == got
    faults = [fault for fault in got if isinstance(fault, Fault)]
    assert [fault.fatal for fault in faults] == [False] * (len(faults) - whole.stopped) + [
        True
    ] * whole.stopped
    assert not whole.stopped or got[-1] is faults[-1]  # nothing follows a fatal fault
    for fault in faults:  # every fault can be told to the peer
        told = Error(code=fault.code, text=fault.text, re=fault.re, nonce=fault.nonce, fatal=fault.fatal)
        assert server_frames().feed(encode(told)) == [told]


def test_byte_by_byte() -> None:
    frames: list[Frame] = [Say("é\U0001f600\n", nonce="1"), Ping(2), SetTopic("lobby", "[{")]
    stream = encode_all(frames)
    assert feed_all(Native(), [stream[place : place + 1] for place in range(len(stream))]) == frames


# The frames of the contract


@pytest.mark.parametrize("struct", [*CLIENT_TYPES, *SERVER_TYPES])
@settings(thorough, max_examples=30)
@given(data=st.data())
def test_a_frame_is_one_line_with_its_type_first(struct: type[Frame], data: st.DataObject) -> None:
    frame = data.draw(structs(struct))
    line = encode(frame)
    tag = struct.__struct_config__.tag
    assert line.startswith(b'{"t":"%b"' % str(tag).encode())
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    assert json.loads(line)["t"] == tag


def test_the_types_are_those_of_the_contract() -> None:
    def tags(types: tuple[type[Frame], ...]) -> set[object]:
        return {struct.__struct_config__.tag for struct in types}

    assert tags(CLIENT_TYPES) == {
        *("hello", "say", "tell", "join", "part", "rename", "topic", "who", "away", "whois", "list"),
        *("history", "search", "register", "login", "moderate", "banned", "mode", "redact", "invite"),
        *("ping", "pong", "bye"),
    }
    assert tags(SERVER_TYPES) == {
        *("welcome", "room", "msg", "ack", "told", "presence", "renamed", "topic", "members", "away"),
        *("user", "rooms", "history", "found", "account", "moderated", "bans", "mode", "redacted"),
        *("invited", "gap", "notice", "error", "ping", "pong", "bye"),
    }


@pytest.mark.parametrize(
    ("frame", "line"),
    [
        (
            Msg(1, 2, "lobby", "ann", "a\nb"),
            '{"t":"msg","id":1,"at":2,"room":"lobby","name":"ann","text":"a\\nb"}',
        ),
        (Ack(nonce="x", at=1), '{"t":"ack","nonce":"x","at":1}'),
        (Pong(re=4), '{"t":"pong","re":4}'),
        (Away("ann", "", 4), '{"t":"away","name":"ann","text":"","re":4}'),
        (Members(names=["ann"], count=1), '{"t":"members","names":["ann"],"count":1}'),
        (
            User(name="ann", rooms=[], at=1, idle=0),
            '{"t":"user","name":"ann","rooms":[],"at":1,"idle":0}',
        ),
        (
            Error(code="internal", text="é", fatal=True),
            '{"t":"error","code":"internal","text":"é","fatal":true}',
        ),
    ],
)
def test_encoded(frame: Frame, line: str) -> None:
    assert encode(frame) == line.encode() + b"\n"


def test_no_frames_are_no_bytes() -> None:
    assert encode_all([]) == b""


def test_nothing_is_kept_of_what_frames_are_taken_from() -> None:
    frames = (Msg(id_, 1, "lobby", "ann", "hi") for id_ in range(3))
    kept = weakref.ref(frames)
    assert encode_all(frames).count(b"\n") == 3
    del frames
    assert kept() is None


@pytest.mark.parametrize(
    ("line", "frame"),
    [
        ('{"t":"say","text":"a"}', Say("a")),
        ('{"text":"a","t":"say"}', Say("a")),
        (' { "t" : "say" , "text" : "a" } ', Say("a")),
        ('{"t":"say","text":"a","later":{"x":[1,null]}}', Say("a")),
        ('{"t":"say","text":"a","nonce":null,"n":null}', Say("a")),
        ('{"t":"say","text":"\\u0041\\ud83d\\ude00"}', Say("A\U0001f600")),
        ('{"t":"hello","v":1,"name":"a","rooms":{}}', Hello(v=1, name="a", rooms={})),
        ('{"t":"hello","v":1,"name":"a"}', Hello(v=1, name="a")),
        (
            '{"t":"hello","v":1,"name":"a","rooms":{"a":null,"b":3}}',
            Hello(v=1, name="a", rooms={"a": None, "b": 3}),
        ),
        ('{"t":"ping","n":9007199254740991}', Ping(2**53 - 1)),
        ('{"t":"ping","n":-9007199254740991}', Ping(-(2**53) + 1)),
        ('{"t":"pong","re":1}', Pong(re=1)),
        ('{"t":"list"}', ListRooms()),
        ('{"t":"away"}', SetAway()),
        ('{"t":"away","text":"lunch","n":2}', SetAway("lunch", 2)),
        ('{"t":"bye"}', Leave()),
        # Of a key that comes twice the last one counts, also where the first one is wrong.
        ('{"t":"say","text":"a","text":"b"}', Say("b")),
        ('{"t":"say","text":1,"text":"b"}', Say("b")),
        ('{"t":"nope","t":"ping"}', Ping()),
        ('{"t":"say","text":"a","t":"ping"}', Ping()),
        # Lone surrogates are JSON; whoever checks the text refuses them.
        ('{"t":"say","text":"\\ud800"}', Say("\ud800")),
        ('{"t":"say","text":"\\udc00\\ud800","n":1}', Say("\udc00\ud800", n=1)),
        ('{"t":"ping","later":"\\udfff"}', Ping()),
        ('{"t":"ping","later":1e400}', Ping()),
        ('{"t":"ping","later":' + "1" * 5000 + "}", Ping()),
        ('{"t":"say","text":"\\ud800","later":' + "1" * 5000 + "}", Say("\ud800")),
    ],
)
def test_read(line: str, frame: Frame) -> None:
    assert read_line(line) == frame


# Faults


@pytest.mark.parametrize(
    "line",
    [
        *(
            "1",
            "null",
            '"ping"',
            "[]",
            '[{"t":"ping"}]',
            "{}",
            '{"n":1}',
            '{"t":5}',
            '{"t":null}',
            '{"t":["ping"]}',
        ),
        *("{", "}", '{"t":"ping"', '{"t":"ping"}}', '{"t":"ping"} x', '{"t":"ping",}', "{'t':'ping'}"),
        *(
            '{"t":"say","text":1}',
            '{"t":"say"}',
            '{"t":"say","text":null}',
            '{"t":"say","text":"a","room":1}',
        ),
        *('{"t":"say","text":"a","kind":"shout"}', '{"t":"say","text":"a","nonce":1}'),
        *('{"t":"ping","n":"1"}', '{"t":"ping","n":1.5}', '{"t":"ping","n":true}', '{"t":"ping","n":1e400}'),
        *('{"t":"ping","n":9007199254740992}', '{"t":"ping","n":-9007199254740992}'),
        '{"t":"ping","n":' + "1" * 5000 + "}",
        *('{"t":"join","room":"a","after":-1}', '{"t":"join","room":"a","backlog":501}'),
        *('{"t":"join","room":"a","backlog":-1}', '{"t":"hello","v":1,"name":"a","rooms":{"a":-1}}'),
        *('{"t":"hello","v":1,"name":"a","rooms":["a"]}', '{"t":"hello","v":"1","name":"a"}'),
        *(
            '{"t":"ping","x":NaN}',
            '{"t":"ping","x":Infinity}',
            '{"t":"ping","x":-Infinity}',
            '{"t":"nope","x":NaN}',
        ),
        *('{"t":"say","text":NaN}', '{"t":"ping","x":01}', '{"t":"ping","x":1.}', '{"t":"ping","x":tru}'),
        *(
            '{"t":"say","text":"\x01"}',
            '{"t":"ping","x":"\x1f"}',
            '{"t":"say","text":"\\x"}',
            '{"t":"say","text":"\\u12"}',
        ),
        *("\ufeff{}", "hello", "GET / HTTP/1.1", "\0"),
    ],
)
def test_what_is_no_frame_ends_the_connection(line: str) -> None:
    fault = fault_in(line)
    assert (fault.code, fault.fatal) == ("bad-frame", True)
    assert fault.text


@pytest.mark.parametrize(
    "line", [b'{"t":"say","text":"\xff"}', b'{"t":"say","text":"\xed\xa0\x80"}', b"\xff\xfe"]
)
def test_what_is_not_utf_8_ends_the_connection(line: bytes) -> None:
    assert fault_in(line).code == "bad-frame"


@pytest.mark.parametrize(
    "line", [b'{"t":"ping","x":"\xff"}', b'{"t":"ping","\xff":1}', b'{"t":"nope","x":"\xff"}']
)
def test_what_is_not_utf_8_is_refused_in_unknown_keys_too(line: bytes) -> None:
    assert fault_in(line).code == "bad-frame"


@pytest.mark.parametrize(
    ("line", "re", "nonce"),
    [
        ('{"t":"say","text":1,"n":7,"nonce":"x"}', 7, "x"),
        ('{"t":"say","n":-3}', -3, None),
        ('{"n":7}', 7, None),
        ('{"t":"ping","n":"7"}', None, None),
        ('{"t":"ping","n":9007199254740992}', None, None),
        ('{"t":"say","text":1,"n":true}', None, None),
        ('{"t":"say","text":1,"nonce":5}', None, None),
    ],
)
def test_a_bad_frame_tells_its_number_and_nonce(line: str, re: int | None, nonce: str | None) -> None:
    fault = fault_in(line)
    assert (fault.code, fault.re, fault.nonce, fault.fatal) == ("bad-frame", re, nonce, True)


@pytest.mark.parametrize(
    ("line", "re"),
    [
        ('{"t":"nope"}', None),
        ('{"t":"nope","n":7}', 7),
        ('{"t":"","n":0}', 0),
        ('{"t":"Ping","n":-1}', -1),
        ('{"t":"msg","n":2}', 2),  # known, but not from clients
        ('{"t":"nope","n":"7"}', None),
        ('{"t":"nope","n":9007199254740992}', None),
        ('{"t":"nope","n":1.5}', None),
        ('{"t":"nope","n":true}', None),
        ('{"t":"ping","t":"nope","n":1}', 1),
        ('{"t":"nope","x":"\\ud800","n":1}', 1),
        ('{"t":"nope","text":1,"v":"x","n":1}', 1),
        ('{"t":"\\ud800","n":1}', 1),
        ('{"t":"nope","n":1,"x":' + "1" * 5000 + "}", 1),
    ],
)
def test_an_unknown_type_tells_its_number_and_the_connection_goes_on(line: str, re: int | None) -> None:
    reader = Native()
    fault, after = reader.feed(line.encode() + b"\n" + PING)
    assert isinstance(fault, Fault)
    assert (fault.code, fault.re, fault.fatal) == ("unknown-type", re, False)
    assert after == Ping()
    assert not reader.stopped


@pytest.mark.parametrize("line", ['{"t":"hello","v":2,"n":5}', '{"t":"hello","v":0,"name":[],"n":5}'])
def test_a_hello_of_another_version_need_not_look_like_ours(line: str) -> None:
    fault = fault_in(line)
    assert (fault.code, fault.re, fault.fatal) == ("unsupported-version", 5, True)


@pytest.mark.parametrize("cut", [0, 5, 15, 20, 200])
def test_faults_stand_where_they_stood(cut: int) -> None:
    stream = PING + b'{"t":"nope","n":1}\n' + b'{"t":"ping","n":2}\n' + b"broken\n" + PING
    reader = Native()
    first, unknown, second, broken = feed_all(reader, [stream[:cut], stream[cut:]])
    assert (first, second) == (Ping(), Ping(2))
    assert (unknown.code, broken.code) == ("unknown-type", "bad-frame")
    assert reader.stopped
    assert reader.feed(PING) == []


def test_a_fault_keeps_no_bytes_for_later() -> None:
    reader = Native()
    assert len(reader.feed(b'broken\n{"t":"pi')) == 1
    assert reader.feed(b'ng"}\n' + PING) == []


# Line ends and limits


@pytest.mark.parametrize(
    "stream",
    [
        *(b"", b"\n", b"\r\n", b"\n\n\n", b" \t\r\n", b"\r\n\n"),
    ],
)
def test_blank_lines_are_nothing(stream: bytes) -> None:
    reader = Native()
    assert reader.feed(stream) == []
    assert reader.feed(stream + PING + stream + b'{"t":"ping","n":1}\r\n' + stream) == [Ping(), Ping(1)]


def test_a_frame_counts_once_its_line_has_ended() -> None:
    reader = Native()
    assert reader.feed(PING[:-1]) == []
    assert reader.feed(b"\r") == []
    assert reader.feed(b"\n") == [Ping()]


def say_of(size: int, line_end: bytes) -> bytes:
    """Returns a line of `size` bytes, its end included."""
    head, tail = b'{"t":"say","text":"', b'"}' + line_end
    return head + b"x" * (size - len(head) - len(tail)) + tail


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("cut", [0, 1, MAX_CLIENT_FRAME - 2, MAX_CLIENT_FRAME - 1, MAX_CLIENT_FRAME])
@pytest.mark.parametrize("before", [b"", PING])
def test_the_longest_frame_and_one_byte_more(line_end: bytes, cut: int, before: bytes) -> None:
    for size, fits in ((MAX_CLIENT_FRAME, True), (MAX_CLIENT_FRAME + 1, False)):
        line = say_of(size, line_end)
        reader = Native()
        got = feed_all(reader, [before + line[:cut], line[cut:], b'{"t":"ping","n":1}\n'])
        if before:
            assert got.pop(0) == Ping()
        if fits:
            assert got[0] == Say("x" * len(got[0].text))
            assert got[1:] == [Ping(1)]
        else:
            assert [(fault.code, fault.fatal) for fault in got] == [("too-long", True)]


def test_a_line_that_cannot_fit_any_more_is_not_waited_for() -> None:
    reader = Native()
    assert reader.feed(b"x" * (MAX_CLIENT_FRAME - 1)) == []
    (fault,) = reader.feed(b"x")
    assert isinstance(fault, Fault)
    assert fault.code == "too-long"
    assert reader.feed(b"\n" + PING) == []


def test_too_long_comes_before_anything_else_in_the_line() -> None:
    for line in (b"x" * MAX_CLIENT_FRAME, b" " * MAX_CLIENT_FRAME, b"[" * MAX_CLIENT_FRAME):
        assert fault_in(line).code == "too-long"


def test_a_server_may_say_more() -> None:
    room = Msg(1, 2, "lobby", "ann", "x" * (MAX_SERVER_FRAME - 64))
    line = encode(room)
    assert MAX_CLIENT_FRAME < len(line) <= MAX_SERVER_FRAME
    assert server_frames().feed(line) == [room]
    (fault,) = server_frames().feed(b"x" * MAX_SERVER_FRAME)
    assert isinstance(fault, Fault)
    assert fault.code == "too-long"


@pytest.mark.parametrize("types", [b"nope", b"notice"])
@pytest.mark.parametrize("value", [b"[]", b"{}", b'"ab"', b"1.5", b'"\\ud800"'])
def test_what_a_long_line_holds_is_never_made(types: bytes, value: bytes) -> None:
    values = b",".join([value] * (MAX_SERVER_FRAME // (len(value) + 1) - 20))
    line = b'{"t":"%b","x":[%b]}\n' % (types, values)
    reader = server_frames()
    tracemalloc.start()
    got = reader.feed(line)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    codes = [fault.code for fault in got if isinstance(fault, Fault)]
    assert codes == (["bad-frame"] if types == b"notice" or b"\\" in value else ["unknown-type"])
    assert peak < 4 * len(line)


def test_a_long_line_may_come_in_very_small_pieces() -> None:
    line = encode(Msg(1, 2, "lobby", "ann", "x" * (MAX_SERVER_FRAME - 100)))
    reader = server_frames()
    tracemalloc.start()
    got = feed_all(reader, (line[place : place + 8] for place in range(0, len(line), 8)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [len(message.text) for message in got] == [MAX_SERVER_FRAME - 100]
    assert peak < 6 * len(line)


@pytest.mark.parametrize(
    ("frame", "keys"),
    [
        ("room", {"room": "r" * 49}),
        ("room", {"topic": "t" * 401}),
        ("room", {"members": ["a"] * 201}),
        ("room", {"last": 2**53}),
        ("presence", {"left": ["a"] * 201}),
        ("presence", {"joined": ["a" * 33]}),
        ("members", {"names": ["a"] * 5_001}),
        ("renamed", {"to": "a" * 33}),
        ("msg", {"id": 10**400}),
        ("history", {"messages": [{"id": 1, "at": 1, "room": "r", "name": "a", "text": "x"}] * 501}),
        ("notice", {"text": "x" * 20_000}),
    ],
)
def test_a_server_says_no_more_than_the_protocol_lets_it(frame: str, keys: dict[str, Any]) -> None:
    frames: dict[str, dict[str, Any]] = {
        "room": {"room": "r", "topic": "", "count": 1, "members": [], "last": 0},
        "presence": {"room": "r", "joined": [], "left": [], "count": 1},
        "members": {"names": [], "count": 0},
        "renamed": {"name": "a", "to": "b"},
        "msg": {"id": 1, "at": 1, "room": "r", "name": "a", "text": "x"},
        "history": {"room": "r", "messages": [], "more": False},
        "notice": {"text": "x"},
    }
    whole = frames[frame]
    (good,) = server_frames().feed(json.dumps({"t": frame} | whole).encode() + b"\n")
    assert not isinstance(good, Fault)
    (bad,) = server_frames().feed(json.dumps({"t": frame} | whole | keys).encode() + b"\n")
    assert isinstance(bad, Fault)
    assert (bad.code, bad.fatal) == ("bad-frame", True)


# Depth


def nested(levels: int) -> bytes:
    """Returns a ping nested `levels` deep, its own braces included."""
    return b'{"t":"ping","x":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}\n"


@pytest.mark.parametrize("cut", [0, 10, 16, 20, 31, 32, 40])
@pytest.mark.parametrize(
    ("levels", "code"), [(2, None), (MAX_DEPTH, None), (MAX_DEPTH + 1, "bad-frame"), (8000, "bad-frame")]
)
def test_depth_is_limited_however_the_frame_is_cut(levels: int, code: str | None, cut: int) -> None:
    line = nested(levels)
    for place in (cut, len(line) // 2, len(line) - 1):
        reader = Native()
        (got,) = feed_all(reader, [line[:place], line[place:]])
        assert (got.code if isinstance(got, Fault) else None) == code


def test_breadth_is_not_depth() -> None:
    deepest = nested(MAX_DEPTH).rstrip(b"}\n")
    line = deepest + b',"y":' + b"[" + b"[]," * 50 + b"{}]}"
    assert depth(line) == MAX_DEPTH
    assert read_line(line) == Ping()


@pytest.mark.parametrize("others", [1, 20, 200])
def test_depth_is_limited_among_many_flat_frames(others: int) -> None:
    got = Native().feed(PING * others + nested(MAX_DEPTH + 1))
    assert got[:-1] == [Ping()] * others
    assert isinstance(got[-1], Fault)


def test_brackets_in_texts_are_not_depth() -> None:
    for text in ("[" * 100, '"[' * 100, '\\"{' * 100, "\\"):
        assert read_line(encode(Say(text, nonce="[[")).rstrip()) == Say(text, nonce="[[")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"1", 0),
        (b"{}", 1),
        (b'{"a":[],"b":[]}', 2),
        (b'{"a":[[{}]]}', 4),
        (b'{"a":"[[["}', 1),
        (rb'{"a":"\"[[["}', 1),
        (rb'{"a":"\\","b":[]}', 2),
        (b"[[]][[[]]]", 3),
        (b"]]][", 0),
    ],
)
def test_depth(line: bytes, expected: int) -> None:
    assert depth(line) == expected
