"""What comes before a login, tried with the corpus of `tests.fuzz` and with what hypothesis makes.

What coverage-guided fuzzing found stands at the end, as tests of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatctl.errors import ChatError
from chatctl.framing import Fault, FrameReader, encode_all, server_frames
from chatctl.invite import parse_link
from chatctl.messages import ClientFrame, Frame, Hello, ServerFrame
from chatctl.server.dialects.native import Native
from chatctl.server.tls_mode import TlsMode
from tests.fuzz import targets
from tests.fuzz.session import frames_in, serve
from tests.test_framing import frames_of, noise

CORPUS = Path(__file__).parent / "fuzz" / "corpus"
INPUTS = sorted(path for path in CORPUS.glob("*/*") if path.is_file())
MOST_BYTES = 600

thorough = settings(deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
quick = settings(thorough, max_examples=60)
# What the server acts on; `serve` gives each example a server of its own.
SPOKEN = get_args(ClientFrame)


# The corpus


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_corpus_breaks_nothing(path: Path) -> None:
    targets.TARGETS[path.parent.name](path.read_bytes())


def test_the_corpus_is_small_and_has_something_for_each_target() -> None:
    assert {path.parent.name for path in INPUTS} == targets.TARGETS.keys()
    assert max(path.stat().st_size for path in INPUTS) <= MOST_BYTES


@pytest.mark.parametrize(
    ("target", "make", "union"),
    [("client-frames", Native, ClientFrame), ("server-frames", server_frames, ServerFrame)],
)
def test_the_corpus_has_all_types_of_frames(
    target: str, make: Callable[[], FrameReader[Frame]], union: object
) -> None:
    found = {type(got) for path in (CORPUS / target).iterdir() for got in make().feed(path.read_bytes())}
    assert found >= set(get_args(union))


# What hypothesis makes


@thorough
@given(noise)
def test_noise_from_a_client(data: bytes) -> None:
    targets.client_frames(data)


@thorough
@given(noise)
def test_noise_from_a_server(data: bytes) -> None:
    targets.server_frames(data)


@thorough
@given(frames_of(get_args(ServerFrame)).map(encode_all), noise)
def test_frames_from_a_server_with_noise_behind_them(data: bytes, more: bytes) -> None:
    targets.server_frames(data + more)


links = st.lists(
    st.sampled_from(
        ["chat:", "//", "/", "?pin=", "#", "@", ":", "[", "]", "::1", "%25", "%C3%BC", "%ff", "h", "1"]
    )
    | st.text(max_size=3),
    max_size=12,
).map(lambda parts: "chat://" + "".join(parts))


@thorough
@given(links | st.text(max_size=40))
def test_links(link: str) -> None:
    targets.links(link.encode(errors="surrogatepass"))


@thorough
@given(st.text(max_size=40) | st.text("a\u0301\u0323\u0130\ufb2c\ufdfa\u1100\u1161#", max_size=40))
def test_names(name: str) -> None:
    targets.people_and_rooms(name.encode(errors="surrogatepass"))


@quick
@given(noise)
def test_a_session_that_begins_with_noise(data: bytes) -> None:
    targets.session(data)


@quick
@given(frames_of(SPOKEN).map(encode_all), noise)
def test_a_session_that_goes_on_with_anything(data: bytes, more: bytes) -> None:
    targets.session(b'{"t":"hello","v":1,"name":"ann"}\n' + data + more)


@quick
@given(frames_of((Hello,)).map(encode_all), noise)
def test_a_session_that_has_no_key(data: bytes, more: bytes) -> None:
    targets.closed(data + more)


@thorough
@given(st.binary(max_size=5) | st.lists(st.sampled_from(b"\x16\x03{"), max_size=5).map(bytes))
def test_first_bytes(data: bytes) -> None:
    targets.first_bytes(data)


@quick
@given(st.binary(max_size=5) | st.binary(max_size=300).map(lambda data: b"\x16\x03\x01" + data))
def test_a_session_that_begins_with_what_looks_like_tls(data: bytes) -> None:
    targets.tls(data)


typing = st.lists(
    st.sampled_from(
        [
            *(
                b"ann",
                b"\n",
                b"\r\n",
                b"\r",
                b"\0",
                b"\b",
                b"\x7f",
                b"\x15",
                b"\xff",
                b"\xfb\x01",
                b"\xfd\x01",
            ),
            *(b"\xfa", b"\xf0", b"\xf7", b"exit\n", b"/join ops\n", b"/part\n", b"/login\n", b"/register\n"),
            *(b"/help\n", b"/me waves\n", b"\xc3\xa9", b"\xc3", b"\xa9", b"\x1b[A", b"/theme\n", b"x" * 8000),
        ]
    )
    | st.binary(max_size=4),
    max_size=30,
).map(b"".join)


@quick
@given(typing | typing.map(lambda data: b"ann\n" + data))
def test_typed_lines(data: bytes) -> None:
    targets.plain(data)


@quick
@given(typing.map(lambda data: b"ann\n" + data))
def test_a_session_of_typed_lines(data: bytes) -> None:
    targets.session(data)


asked = st.lists(
    st.sampled_from(
        [
            *(b"GET ", b"/ws", b"/", b" HTTP/1.1\r\n", b"Host: h\r\n", b"\r\n", b"\r\n\r\n", b"\n"),
            *(b"POST /", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"hello", b": ", b"\0"),
            *(b"0\r\n\r\n", b"5\r\n", b"Connection: close\r\n", b"a" * 9_000),
            *(targets.GET, targets.POST, targets.UPGRADE, targets.HELLO),
        ]
    )
    | st.binary(max_size=4),
    max_size=15,
).map(b"".join)


@quick
@given(asked)
def test_requests_with_anything_in_them(data: bytes) -> None:
    targets.http(data)


messages = st.builds(
    lambda first, data, mask: bytes([first, len(data) | (0x80 if mask else 0)]) + bytes(4 * mask) + data,
    st.sampled_from([0x81, 0x81, 0x01, 0x80, 0x00, 0x82, 0x88, 0x89, 0x8A, 0xC1, 0x09, 0x83]),
    st.sampled_from([b"", b"{", b'{"t":"ping"}', b'{"t":"hello","v":1,"name":"ann"}', b"\x03\xe8", b"\xff"]),
    st.sampled_from([True, True, True, False]),
)


@quick
@given(st.lists(messages | st.binary(max_size=4), max_size=12).map(b"".join))
def test_websockets_with_anything_in_them(data: bytes) -> None:
    targets.websocket(data)


# What the targets see


def test_a_session_over_http_is_served() -> None:
    assert serve(targets.GET).startswith(b"HTTP/1.1 200 ")
    frames = targets.check_http(serve(targets.UPGRADE + targets.HELLO))
    assert [frame["t"] for frame in frames] == ["welcome", "room"]
    with pytest.raises(AssertionError):
        targets.check_http(b"HTTP/1.1 500 Internal Server Error\r\n\r\n")


def test_a_session_is_served() -> None:
    frames = frames_in(serve(b'{"t":"hello","v":1,"name":"ann"}\n{"t":"ping","n":7}\n'))
    assert [frame["t"] for frame in frames] == ["welcome", "room", "pong"]
    assert [frame["code"] for frame in frames_in(serve(b"{\xff\n"))] == ["bad-frame"]
    assert serve(b"") == b""


def test_tls_is_spoken() -> None:
    (hello,) = (path.read_bytes() for path in INPUTS if path.parts[-2:] == ("tls", "hello"))
    assert serve(hello, TlsMode.required)[:1] == b"\x16"
    assert serve(hello[:-1], TlsMode.required) == b""


def test_a_mistake_of_the_server_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: str) -> str:
        raise KeyError("mistake")

    monkeypatch.setattr("chatctl.server.entrance.check_name", fail)
    with pytest.raises(KeyError, match="mistake"):
        targets.session(b'{"t":"hello","v":1,"name":"ann"}\n')


# What was found


@pytest.mark.parametrize(
    "link",
    [
        "chat://192.168.1.5:12345/lobby#K5mQwz0nRkmFQ\udc98\udc94W3o3F1Q",  # a byte that is not UTF-8
        "chat://h\uff0f\x1b[2J/lobby#K5mQwz0nRkmFQqkW3o3F1Q",  # urlsplit repeats what it does not take
    ],
    ids=ascii,
)
def test_a_link_that_cannot_be_shown_is_refused_in_one_line(link: str) -> None:
    with pytest.raises(ChatError, match="is not a link") as caught:
        parse_link(link)
    assert str(caught.value).isprintable()
    assert "K5mQ" not in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [b'{"t":"p\x7fing","x":0\0}\n', b'{"t":"say","text":"a","kind":"\\u001b[2J"}\n', b'{"t":"\\u202e\n'],
    ids=repr,
)
def test_what_is_wrong_with_a_frame_is_said_without_what_acts_on_a_terminal(line: bytes) -> None:
    (fault,) = Native().feed(line)
    assert isinstance(fault, Fault)
    assert fault.text.isprintable()


def test_what_is_wrong_with_a_frame_is_said_in_few_words() -> None:
    (fault,) = Native().feed(b'{"t":"say","text":"a","kind":"' + b"x" * 16_000 + b'"}\n')
    assert isinstance(fault, Fault)
    assert len(fault.text) <= 1_000
