"""What the server answers to input that is wrong, hostile or odd, while other people chat undisturbed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from tests.helpers import SECONDS, RawClient, RunningServer, fresh, running_server, undisturbed

Frame = dict[str, Any]

MAX_FRAME = 16_384  # bytes, the line end included
MAX_HANDSHAKE = 8_192  # bytes
MAX_DEPTH = 16
MAX_TEXT = 8_000  # bytes
MEGABYTE = 1 << 20

SURROGATE = "\ud800"
WINK = "\U0001f609"

BAD_NAMES = {
    "empty": "",
    "long": "n" * 33,
    "space": "a b",
    "carriage return": "a\rb",
    "line feed": "a\nb",
    "NUL": "a\0b",
    "escape": "a\x1bb",
    "C1": "a\x9bb",
    "lone surrogate": f"a{SURROGATE}b",
    "zero width": "a\u200bb",
    "right to left": "a\u202eb",
    "variation selector": "a\ufe0fb",
    "emoji": WINK,
    "hash": "a#b",
    "dash first": "-a",
    "dot first": ".a",
    "mark first": "\u0301a",
}
each_bad_name = pytest.mark.parametrize("name", BAD_NAMES.values(), ids=BAD_NAMES.keys())


@pytest.fixture
def server(shared_server: RunningServer) -> Iterator[RunningServer]:
    """A server on which two others chat, and notice nothing of what the test does."""
    with undisturbed(shared_server):
        yield shared_server


@pytest.fixture
def den() -> str:
    """The room that `client` is in."""
    return fresh("den")


@pytest.fixture
def client(server: RunningServer, den: str) -> Iterator[RawClient]:
    """A client that is alone in its room."""
    with server.client(fresh("eve"), rooms={den: None}) as client:
        client.settle()
        yield client


def encode(t: str, **keys: Any) -> bytes:
    return json.dumps({"t": t} | keys).encode() + b"\n"


def encode_short(t: str, **keys: Any) -> bytes:
    """Encodes a frame without escapes."""
    return json.dumps({"t": t} | keys, ensure_ascii=False).encode() + b"\n"


def padded(data: bytes, size: int) -> bytes:
    """Makes a frame `size` bytes long, the line end included, with a key that nobody knows."""
    start = data.removesuffix(b"}\n") + b',"pad":"'
    return start + b"x" * (size - len(start) - 3) + b'"}\n'


def nested(depth: int) -> tuple[bytes, bytes]:
    """Returns the two halves of a frame with brackets `depth` deep, its own included."""
    return b'{"t":"ping","n":7,"x":' + b"[" * (depth - 1), b"]" * (depth - 1) + b"}\n"


def end_of(client: RawClient, data: bytes) -> list[Frame]:
    """Sends `data`, which the server may cut short; returns what comes until it closes."""
    with suppress(ConnectionError):
        client.send_bytes(data)
    return client.all_until_end()


def answers(client: RawClient, data: bytes) -> list[Frame]:
    """Sends `data`, which the connection must outlive; returns what comes of it."""
    client.send_bytes(data)
    return client.settle()


def assert_error(frames: list[Frame], code: str, *, fatal: bool = False, **keys: Any) -> None:
    """There is one frame, an error, and it has `keys`."""
    assert [frame["t"] for frame in frames] == ["error"], frames
    (error,) = frames
    assert error["text"] and isinstance(error["text"], str)
    assert error.get("fatal", False) is fatal, error
    assert error["code"] == code, error
    assert keys.items() <= error.items(), error


def assert_fatal(frames: list[Frame], code: str, **keys: Any) -> None:
    assert_error(frames, code, fatal=True, **keys)


# Length


@pytest.mark.parametrize("first", [b"x", b'{"t":"ping","x":"', b"[", b" "], ids=repr)
def test_a_frame_that_never_ends_is_refused_early(
    server: RunningServer, client: RawClient, first: bytes
) -> None:
    before = server.memory()
    client.send_bytes(first)
    sent = 0
    with suppress(ConnectionError):
        while sent < 1024 * MEGABYTE:
            client.send_bytes(first[-1:] * MEGABYTE)
            sent += MEGABYTE
    assert sent < 100 * MEGABYTE
    assert_fatal(client.all_until_end(), "too-long")
    assert server.memory() - before < 8 * MEGABYTE


def test_a_first_frame_that_never_ends_is_refused_early(server: RunningServer) -> None:
    before = server.memory()
    endless = b'{"t":"hello","name":"' + b"x" * 64 * MEGABYTE
    with server.raw() as client:
        assert_fatal(end_of(client, endless), "too-long")
    assert server.memory() - before < 8 * MEGABYTE


def test_two_million_brackets_are_refused(client: RawClient) -> None:
    assert_fatal(end_of(client, b"[" * 2_000_000), "too-long")


def test_two_million_brackets_in_place_of_a_hello_are_refused(server: RunningServer) -> None:
    brackets = b'{"t":' + b"[" * 2_000_000
    with server.raw() as client:
        assert_fatal(end_of(client, brackets), "too-long")


def test_the_longest_frame_is_accepted(client: RawClient) -> None:
    with_key = padded(encode("ping", n=1), MAX_FRAME)
    with_spaces = encode("ping", n=2).rstrip().ljust(MAX_FRAME - 1) + b"\n"
    with_return = encode("ping", n=3).rstrip().ljust(MAX_FRAME - 2) + b"\r\n"
    assert {len(with_key), len(with_spaces), len(with_return)} == {MAX_FRAME}
    frames = answers(client, with_key + with_spaces + with_return)
    assert frames == [{"t": "pong", "re": n} for n in (1, 2, 3)]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b""], ids=repr)
def test_one_byte_more_is_too_long(client: RawClient, line_end: bytes) -> None:
    too_long = padded(encode("ping"), MAX_FRAME + 1).removesuffix(b"\n")[: MAX_FRAME + 1 - len(line_end)]
    assert_fatal(end_of(client, too_long + line_end), "too-long")


def test_what_stands_before_a_frame_that_is_too_long_is_acted_on_and_nothing_behind_it(
    client: RawClient,
) -> None:
    data = encode("ping", n=1) + padded(encode("ping", n=2), MAX_FRAME + 1) + encode("ping", n=3)
    pong, *rest = end_of(client, data)
    assert pong == {"t": "pong", "re": 1}
    assert_fatal(rest, "too-long")


def test_the_longest_hello_is_accepted(server: RunningServer) -> None:
    with server.raw() as client:
        client.send_bytes(padded(encode("hello", v=1, name=fresh("long")), MAX_HANDSHAKE))
        client.expect("welcome")


@pytest.mark.parametrize("line_end", [b"\n", b""], ids=repr)
def test_a_longer_hello_is_too_long(server: RunningServer, line_end: bytes) -> None:
    hello = padded(encode("hello", v=1, name=fresh("longer")), MAX_HANDSHAKE + 1)
    with server.raw() as client:
        assert_fatal(end_of(client, hello.removesuffix(b"\n") + line_end), "too-long")


def test_all_there_is_before_the_hello_counts(server: RunningServer) -> None:
    hello = encode("hello", v=1, name=fresh("late"))
    with server.raw() as client:
        client.send_bytes(b"\n" * (MAX_HANDSHAKE - len(hello)) + hello)
        client.expect("welcome")
    with server.raw() as client:
        assert_fatal(end_of(client, b"\n" * (MAX_HANDSHAKE - len(hello) + 1) + hello), "too-long")


# Pieces


def test_a_frame_may_come_byte_by_byte(server: RunningServer) -> None:
    name, text = fresh("slow"), f"gr\u00fc\u00dfe {WINK}"
    say = encode_short("say", text=text, nonce="1").replace(b"\n", b"\r\n")
    with server.client(fresh("reader")) as reader, server.raw() as client:
        for byte in encode("hello", v=1, name=name) + say + encode("ping", n=5):
            client.send_bytes(bytes([byte]))
        client.expect("pong", re=5)
        reader.expect("msg", name=name, text=text)


def test_a_thousand_frames_may_come_in_one_write(server: RunningServer, client: RawClient, den: str) -> None:
    texts = [str(number) for number in range(1000)]
    with server.client(fresh("reader"), rooms={den: None}) as reader:
        reader.settle()
        client.settle()
        client.send_bytes(b"".join(encode("say", room=den, text=text, nonce=text) for text in texts))
        assert [reader.expect("msg", id=number + 1)["text"] for number in range(1000)] == texts
        assert [client.expect("ack")["id"] for _ in texts] == list(range(1, 1001))
        assert reader.settle() == client.settle() == []


def test_a_thousand_frames_may_follow_the_hello_at_once(server: RunningServer) -> None:
    room = fresh("room")
    hello = encode("hello", v=1, name=fresh("hasty"), rooms={room: None})
    says = [encode("say", text=str(n), room=room, nonce=str(n), n=n) for n in range(1000)]
    with server.raw() as client:
        client.send_bytes(hello + b"".join(says))
        client.expect("welcome")
        client.expect("room")
        assert [client.expect("ack")["re"] for _ in says] == list(range(1000))


def test_a_burst_is_slowed_down_at_the_default_rate_and_loses_nothing() -> None:
    texts = [str(number) for number in range(1000)]
    with (
        running_server() as server,
        server.client("reader") as reader,
        server.client("writer") as writer,
        undisturbed(server),
    ):
        begun = time.monotonic()
        writer.send_bytes(b"".join(encode("say", text=text) for text in texts))
        assert reader.texts(30) == texts[:30]
        assert time.monotonic() - begun > 0.5, "20 at once, then 10 a second"


def test_a_burst_arrives_whole_at_any_rate() -> None:
    texts = [str(number) for number in range(1000)]
    with (
        running_server("--rate", "500") as server,
        server.client("reader") as reader,
        server.client("writer") as writer,
        undisturbed(server),
    ):
        writer.send_bytes(b"".join(encode("say", text=text, nonce=text) for text in texts))
        assert reader.texts(1000) == texts
        assert [writer.expect("ack")["nonce"] for _ in texts] == texts


def test_line_ends_may_have_a_carriage_return_and_blank_lines_are_ignored(server: RunningServer) -> None:
    hello = encode("hello", v=1, name=fresh("windows")).replace(b"\n", b"\r\n")
    with server.raw() as client:
        client.send_bytes(hello)
        client.expect("welcome")
        data = b"\r\n\n \t\r\n" + encode("ping", n=1).replace(b"\n", b"\r\n") + b"\n" + encode("ping", n=2)
        client.settle()
        assert answers(client, data) == [{"t": "pong", "re": 1}, {"t": "pong", "re": 2}]


def test_a_million_blank_lines_are_ignored(client: RawClient) -> None:
    assert answers(client, b"\n" * MEGABYTE) == []


# Depth and cost


def test_nesting_may_be_16_deep(client: RawClient) -> None:
    assert answers(client, b"".join(nested(MAX_DEPTH))) == [{"t": "pong", "re": 7}]


@pytest.mark.parametrize("depth", [17, 100, 8_000])
def test_deeper_nesting_is_refused(client: RawClient, depth: int) -> None:
    assert_fatal(end_of(client, b"".join(nested(depth))), "bad-frame")


@pytest.mark.parametrize("depth", [17, 100, 8_000])
def test_deeper_nesting_is_refused_in_two_pieces(client: RawClient, depth: int) -> None:
    opening, closing = nested(depth)
    client.send_bytes(encode("ping", n=1) + opening)
    client.expect("pong", re=1)  # The first piece has been read.
    assert_fatal(end_of(client, closing), "bad-frame")


def test_brackets_in_a_string_are_not_nesting(client: RawClient) -> None:
    assert answers(client, encode("ping", n=1, x='\\"[' * 100)) == [{"t": "pong", "re": 1}]


def test_a_string_that_does_not_end_costs_little(server: RunningServer) -> None:
    hostile = b'{"t":"ping","x":' + b"[" * 20 + b'"' + b'\\"' * 8_000 + b"\n"
    before = server.cpu()
    for _ in range(20):
        with server.client(fresh("costly"), rooms={}) as client:
            assert_fatal(end_of(client, hostile), "bad-frame")
    assert server.cpu() - before < 4


@pytest.mark.parametrize(
    ("t", "key"), [("rename", "name"), ("join", "room"), ("tell", "to"), ("whois", "name")]
)
def test_a_name_of_a_thousand_marks_costs_little(
    server: RunningServer, client: RawClient, t: str, key: str
) -> None:
    frame = encode_short(t, **{key: "a" + "\u0301" * 3_500 + "\u0323" * 3_500, "text": "hello"})
    before = server.cpu()
    frames = answers(client, frame * 100)
    assert [frame["t"] for frame in frames] == ["error"] * 100
    assert server.cpu() - before < 3


# JSON that is none, or not what the protocol says


@pytest.mark.parametrize(
    "line",
    [
        b"hello",
        b"[]",
        b"null",
        b"17",
        b'"say"',
        b"{}",
        b"{",
        b"}",
        b'{"t":"ping"',
        b'{"t":"ping"}}',
        b'{"t":"ping"}{"t":"ping"}',
        b'{"t":"ping",}',
        b"{'t':'ping'}",
        b'{"t":"ping"}\0',
        b'\xef\xbb\xbf{"t":"ping"}',
        b'{"t":"ping","n":01}',
        b'{"t":"say","text":"\\x41"}',
        b'{"t":"say","text":"a\0b"}',
        b'{"t":"say","text":"a\rb"}',
        b'{"t":"say","text":"a\tb"}',
        b"\xff\xfe\xfd",
        b'{"t":"say","text":"\xff"}',
        b'{"t":"say","text":"\xc3"}',
        b'{"t":"say","text":"\xed\xa0\x80"}',
        b'{"t":"say","text":"\xc0\x80"}',
        b'{"t":"nope","text":"\xff"}',
        b'{"text":"no type"}',
        b"\x16\x03\x01\x02\x00",
        b"GET / HTTP/1.1",
        b"\0" * 100,
    ],
    ids=repr,
)
def test_what_is_no_frame_is_refused(client: RawClient, line: bytes) -> None:
    assert_fatal(end_of(client, line + b"\n" + encode("ping")), "bad-frame")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "1" + "0" * 400, "1.5", "-"])
def test_what_is_no_whole_number_is_refused(client: RawClient, number: str) -> None:
    assert_fatal(end_of(client, b'{"t":"ping","n":%s}\n' % number.encode()), "bad-frame")


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1" + "0" * 400, "1" + "0" * 10_000, "1e-400"])
def test_a_huge_number_in_a_key_nobody_knows_is_ignored(client: RawClient, number: str) -> None:
    assert answers(client, b'{"t":"ping","n":1,"x":%s}\n' % number.encode()) == [{"t": "pong", "re": 1}]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_what_json_lacks_is_refused_in_a_key_nobody_knows_too(client: RawClient, number: str) -> None:
    assert_fatal(end_of(client, b'{"t":"ping","x":%s}\n' % number.encode()), "bad-frame")


def test_a_key_may_stand_twice(client: RawClient) -> None:
    frames = answers(client, b'{"t":"ping","n":1,"n":2}\n')
    assert frames in ([{"t": "pong", "re": 1}], [{"t": "pong", "re": 2}])  # RFC 8259 leaves it open.


WRONG_TYPES: list[Frame] = [
    {"t": None},
    {"t": 1},
    {"t": ["ping"]},
    {"t": {}},
    {"t": "ping", "n": "1"},
    {"t": "ping", "n": True},
    {"t": "ping", "n": [1]},
    {"t": "say"},
    {"t": "say", "text": None},
    {"t": "say", "text": 5},
    {"t": "say", "text": ["a"]},
    {"t": "say", "text": {"a": "b"}},
    {"t": "say", "text": "a", "room": None},
    {"t": "say", "text": "a", "room": 1},
    {"t": "say", "text": "a", "nonce": 1},
    {"t": "say", "text": "a", "kind": 1},
    {"t": "say", "text": "a", "kind": "shout"},
    {"t": "say", "text": "a", "kind": SURROGATE},
    {"t": "tell", "to": 1, "text": "a"},
    {"t": "tell", "to": "a"},
    {"t": "join"},
    {"t": "join", "room": ["lobby"]},
    {"t": "join", "room": "lobby", "after": "1"},
    {"t": "join", "room": "lobby", "after": -1},
    {"t": "join", "room": "lobby", "after": 1.5},
    {"t": "join", "room": "lobby", "backlog": None},
    {"t": "join", "room": "lobby", "backlog": 501},
    {"t": "part", "room": False},
    {"t": "rename", "name": 1},
    {"t": "topic", "room": "lobby", "text": 0},
    {"t": "who", "room": 3},
    {"t": "away", "text": 1},
    {"t": "away", "text": None},
    {"t": "away", "text": ["a"]},
    {"t": "whois"},
    {"t": "whois", "name": None},
    {"t": "whois", "name": ["a"]},
]


@pytest.mark.parametrize("frame", WRONG_TYPES, ids=repr)
def test_a_key_of_the_wrong_type_is_refused(client: RawClient, frame: Frame) -> None:
    number = {} if "n" in frame else {"n": 9}
    data = json.dumps(frame | number).encode() + b"\n"
    expected = {"re": 9} if number else {}
    assert_fatal(end_of(client, data), "bad-frame", **expected)


@pytest.mark.parametrize(
    "keys",
    [
        {"v": "1"},
        {"v": True},
        {"v": None},
        {"name": 7},
        {"name": None},
        {"rooms": []},
        {"rooms": {"lobby": "1"}},
        {"rooms": {SURROGATE: "1"}},
        {"backlog": 501},
        {"backlog": -1},
        {"agent": 1},
    ],
    ids=repr,
)
def test_a_hello_with_a_key_of_the_wrong_type_is_refused(server: RunningServer, keys: Frame) -> None:
    with server.raw() as client:
        hello = {"v": 1, "name": fresh("wrong"), "n": 3} | keys
        assert_fatal(end_of(client, encode("hello", **hello)), "bad-frame", re=3)


# Lone surrogates, which JSON can write and UTF-8 cannot


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"t": "say", "text": SURROGATE, "nonce": "mine"}, "bad-text"),
        ({"t": "say", "text": f"a {SURROGATE} in the middle", "nonce": "mine"}, "bad-text"),
        ({"t": "tell", "to": "nobody", "text": SURROGATE, "nonce": "mine"}, "bad-text"),
        ({"t": "tell", "to": SURROGATE, "text": "a", "nonce": "mine"}, "no-such-user"),
        ({"t": "say", "room": SURROGATE, "text": "a", "nonce": "mine"}, "bad-room"),
        ({"t": "topic", "text": SURROGATE}, "bad-text"),
        ({"t": "join", "room": SURROGATE}, "bad-room"),
        ({"t": "part", "room": SURROGATE}, "bad-room"),
        ({"t": "who", "room": SURROGATE}, "bad-room"),
        ({"t": "away", "text": SURROGATE}, "bad-text"),
        ({"t": "whois", "name": SURROGATE}, "no-such-user"),
        ({"t": "rename", "name": SURROGATE}, "bad-name"),
        ({"t": SURROGATE}, "unknown-type"),
    ],
    ids=repr,
)
def test_a_lone_surrogate_gets_the_code_that_belongs_there(
    client: RawClient, den: str, frame: Frame, code: str
) -> None:
    keys: Frame = {"room": den, "n": 8} | frame
    expected: Frame = {"nonce": frame["nonce"]} if "nonce" in frame else {}
    assert_error(answers(client, encode(**keys)), code, re=8, **expected)


@pytest.mark.parametrize(
    "frame",
    [
        {"t": "ping", "x": SURROGATE},
        {"t": "ping", SURROGATE: 1},
        {"t": "ping", "x": {SURROGATE: [SURROGATE]}},
    ],
    ids=repr,
)
def test_a_lone_surrogate_in_a_key_nobody_knows_is_ignored(client: RawClient, frame: Frame) -> None:
    assert answers(client, json.dumps(frame | {"n": 1}).encode() + b"\n") == [{"t": "pong", "re": 1}]


# The nonce


@pytest.mark.parametrize("t", ["say", "tell"])
@pytest.mark.parametrize("text", ["fine", SURROGATE, 5], ids=repr)
@pytest.mark.parametrize(
    "nonce", ["n" * 65, "\u00e9" * 33, SURROGATE], ids=["65 bytes", "66 bytes", "surrogate"]
)
def test_a_bad_nonce_is_refused(client: RawClient, den: str, t: str, text: Any, nonce: str) -> None:
    data = encode(t, to="nobody", room=den, text=text, nonce=nonce, n=4)
    assert_fatal(end_of(client, data), "bad-frame", re=4)


@pytest.mark.parametrize("nonce", ["n" * 64, "\u00e9" * 32, "", "\0\n"], ids=repr)
def test_a_nonce_of_64_bytes_is_accepted(client: RawClient, den: str, nonce: str) -> None:
    client.say("hello", room=den, nonce=nonce)
    client.expect("ack", nonce=nonce)


# Texts


@pytest.mark.parametrize("text", ["", "x" * (MAX_TEXT + 1), "\u00e9" * (MAX_TEXT // 2) + "x"], ids=len)
def test_a_text_that_is_too_short_or_too_long_is_refused(client: RawClient, den: str, text: str) -> None:
    for t in ("say", "tell"):
        frames = answers(client, encode_short(t, to="nobody", room=den, text=text, nonce="a", n=2))
        assert_error(frames, "bad-text", re=2, nonce="a")


def test_controls_in_a_text_are_refused_and_all_else_arrives_as_sent(
    server: RunningServer, client: RawClient, den: str
) -> None:
    refused = [*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0))]
    refused.remove("\n")
    refused.remove("\t")
    good = "\ttabs\n\nlines \u2028 \u200d \u202e \ufeff \ufffe e\u0301 \U0010ffff"
    frames = answers(client, b"".join(encode("say", room=den, text=f"a{c}b") for c in refused))
    assert [frame.get("code") for frame in frames] == ["bad-text"] * len(refused)
    with server.client(fresh("reader"), rooms={den: None}) as reader:
        reader.settle()
        client.say(good, room=den)
        assert reader.texts(1) == [good]


# Names and rooms


@each_bad_name
def test_a_bad_name_is_refused_at_the_door(server: RunningServer, name: str) -> None:
    with server.raw() as client:
        assert_fatal(end_of(client, encode("hello", v=1, name=name, n=6)), "bad-name", re=6)


@each_bad_name
def test_a_bad_name_is_refused_inside(client: RawClient, name: str) -> None:
    assert_error(answers(client, encode("rename", name=name, n=6)), "bad-name", re=6)


@each_bad_name
def test_a_bad_room_is_refused(server: RunningServer, client: RawClient, name: str) -> None:
    room = name.replace("n" * 33, "n" * 49)
    for t in ("join", "part", "say", "topic", "who"):
        frames = answers(client, encode(t, room=room, text="a", n=6))
        assert_error(frames, "bad-room", re=6)
    with server.raw() as other:
        hello = encode("hello", v=1, name=fresh("eve"), rooms={room: None}, n=7)
        assert_fatal(end_of(other, hello), "bad-room", re=7)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("Same", "Same"),
        ("Anna", "ANNA"),
        ("stra\u00dfe", "STRASSE"),
        ("\uff41\uff42\uff43", "abc"),
        ("\u00e9tienne", "e\u0301tienne"),
        ("peter", "p\u0435ter"),
        ("Bill", "BiIl"),
        ("z0e", "zOe"),
        ("morning", "rnorning"),
    ],
)
def test_a_name_that_is_the_same_or_looks_alike_is_taken(
    server: RunningServer, name: str, other: str
) -> None:
    with server.client(name, rooms={}), server.client(fresh("eve"), rooms={}) as eve, server.raw() as late:
        assert_fatal(end_of(late, encode("hello", v=1, name=other, n=1)), "name-taken", re=1)
        assert_error(answers(eve, encode("rename", name=other, n=2)), "name-taken", re=2)


# The handshake


@pytest.mark.parametrize(
    "t", ["say", "tell", "join", "rename", "who", "whois", "away", "list", "ping", "pong", "bye"]
)
def test_the_first_frame_must_be_a_hello(server: RunningServer, t: str) -> None:
    with server.raw() as client:
        frames = end_of(client, encode(t, text="a", to="b", room="lobby", name="c", n=5))
        assert_fatal(frames, "bad-frame", re=5)


def test_a_second_hello_is_refused(client: RawClient) -> None:
    assert_fatal(end_of(client, encode("hello", v=1, name=fresh("eve"), n=5)), "bad-frame", re=5)


@pytest.mark.parametrize("keys", [{}, {"name": 5}], ids=repr)
def test_another_version_is_refused(server: RunningServer, keys: Frame) -> None:
    hello = {"v": 2, "name": fresh("eve"), "n": 5} | keys
    with server.raw() as client:
        assert_fatal(end_of(client, encode("hello", **hello)), "unsupported-version", re=5)


def test_an_unknown_type_is_answered_and_the_connection_stays_open(client: RawClient) -> None:
    frames = answers(client, encode("dance", n=-3) + encode("dance") + encode("ping", n=1))
    assert [frame["t"] for frame in frames] == ["error", "error", "pong"]
    assert_error(frames[:1], "unknown-type", re=-3)
    assert_error(frames[1:2], "unknown-type")
    assert "re" not in frames[1]


def test_frames_only_the_server_sends_are_unknown(client: RawClient) -> None:
    for t in ("welcome", "msg", "ack", "user", "error", "Say", "SAY", ""):
        assert_error(answers(client, encode(t, n=1)), "unknown-type", re=1)


def test_the_number_may_be_any_that_every_json_reader_keeps(client: RawClient) -> None:
    for number in (0, -1, 2**53 - 1, -(2**53) + 1):
        assert answers(client, encode("ping", n=number)) == [{"t": "pong", "re": number}]


# Silence: the connections are made before the first test of this file, and looked at by one of them

SILENT = {
    "a bracket": b"{",
    "half a hello": b'{"t":"hello","v":1,',
    "a bracket and blank lines": b"\n\r\n{",
}


@pytest.fixture(scope="module", autouse=True)
def silence(shared_server: RunningServer) -> Iterator[dict[str, Future[tuple[list[Frame], float]]]]:
    """Clients that never say hello: what they get, and after how many seconds."""

    def wait_for_end(data: bytes) -> tuple[list[Frame], float]:
        begun = time.monotonic()
        with shared_server.raw() as client:
            client.send_bytes(data)
            return client.all_until_end(), time.monotonic() - begun

    with ThreadPoolExecutor(len(SILENT)) as pool:
        yield {what: pool.submit(wait_for_end, data) for what, data in SILENT.items()}


@pytest.mark.parametrize("what", SILENT)
def test_silence_is_ended_after_ten_seconds(
    silence: dict[str, Future[tuple[list[Frame], float]]], what: str
) -> None:
    frames, seconds = silence[what].result(SECONDS + 10)
    assert_fatal(frames, "timeout")
    assert 10 <= seconds < 18
