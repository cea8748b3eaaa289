"""One HTTP connection without a network: what is taken for a request, and the bytes of answers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatctl.framing import encode_all
from chatctl.messages import HANDSHAKE_SECONDS, Bye, Error
from chatctl.server.web.http import KEEP_ALIVE_SECONDS, MAX_HEAD, MAX_TARGET, HttpConnection, chunk
from chatctl.server.web.request import MAX_BODY, Problem, Request, Response, Streaming, json_response

unhurried = settings(deadline=None)
HOST = b"Host: h\r\n"
GET = b"GET /a?b=c HTTP/1.1\r\n" + HOST
POST = b"POST /a HTTP/1.1\r\n" + HOST
ENDING = Bye(code="shutting-down", text="the server is shutting down")


def received(data: bytes) -> list[Request]:
    """Returns the requests in `data`, each answered before the next one is looked for."""
    connection = HttpConnection()
    connection.feed(data)
    found = []
    while not connection.over and (request := connection.receive()):
        found.append(request)
        connection.answer(Response(204))
    return found


def problem(data: bytes) -> Problem:
    connection = HttpConnection()
    connection.feed(data)
    with pytest.raises(Problem) as caught:
        connection.receive()
    answer = connection.answer(caught.value.response())
    assert answer.startswith(f"HTTP/1.1 {caught.value.status} ".encode())
    assert b'\r\n\r\n{"error":{"code":"' in answer
    assert answer.count(b"\n") == answer.count(b"\r\n") + 1
    if caught.value.close:
        assert connection.over
        assert b"Connection: close\r\n" in answer
    return caught.value


def test_what_is_asked_for() -> None:
    (request,) = received(GET + b"X-A: 1\r\nx-a: 2\r\n\r\n")
    assert (request.method, request.path, request.query) == ("GET", "/a", "b=c")
    assert request.headers == {"host": "h", "x-a": "1, 2"}
    assert request.body == b""


@pytest.mark.parametrize(
    "data",
    [
        POST + b"Content-Length: 5\r\n\r\nhello",
        POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;a=b\r\nllo\r\n0\r\n\r\n",
    ],
)
def test_bodies(data: bytes) -> None:
    assert [request.body for request in received(data)] == [b"hello"]


@unhurried
@given(st.lists(st.integers(1, 30)))
def test_pieces_of_any_size_mean_the_same(sizes: list[int]) -> None:
    data = GET + b"\r\n" + POST + b"Content-Length: 2\r\n\r\nhi" + GET + b"Connection: close\r\n\r\n"
    connection = HttpConnection()
    bodies = []
    for size in [*sizes, len(data)]:
        connection.feed(data[:size])
        data = data[size:]
        while not connection.over and (request := connection.receive()):
            bodies.append(request.body)
            connection.answer(Response(204))
    assert bodies == [b"", b"hi", b""]
    assert connection.over


def test_one_after_the_other() -> None:
    connection = HttpConnection()
    connection.feed(GET + b"\r\n" + POST + b"Content-Length: 0\r\n\r\n")
    assert connection.receive() is not None
    assert b"Connection" not in connection.answer(Response(200, {}, b"x"))
    second = connection.receive()
    assert second is not None
    assert second.method == "POST"


SMUGGLED = b"GET /hidden HTTP/1.1\r\n" + HOST + b"\r\n"


@pytest.mark.parametrize(
    ("status", "data"),
    [
        (400, POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        (400, POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
        (400, POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
        (400, POST + b"Content-Length: 5, 6\r\n\r\nhello"),
        (400, POST + b"Content-Length: +5\r\n\r\nhello"),
        (400, POST + b"Content-Length: 5 \x0b\r\n\r\nhello"),
        (400, POST + b"Content-Length: -1\r\n\r\nhello"),
        (400, POST + b"Content-Length : 5\r\n\r\nhello"),
        (411, POST + b" Content-Length: 5\r\n\r\nhello"),
        (501, POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
        (501, POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        (501, POST + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        (400, b"POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        (400, POST + b"Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n"),
        (400, POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n"),
    ],
)
def test_lengths_that_are_said_in_two_ways_end_it(status: int, data: bytes) -> None:
    assert problem(data + SMUGGLED).status == status


@pytest.mark.parametrize(
    ("status", "data"),
    [
        (400, b"GET a HTTP/1.1\r\n" + HOST + b"\r\n"),
        (400, b"GET http://h/a HTTP/1.1\r\n" + HOST + b"\r\n"),
        (400, b"CONNECT h:1 HTTP/1.1\r\n" + HOST + b"\r\n"),
        (400, b"GET /a HTTP/1.1\r\n\r\n"),
        (400, b"GET /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        (400, b"GET /a\r\n" + HOST + b"\r\n"),
        (400, b"GET  /a HTTP/1.1\r\n" + HOST + b"\r\n"),
        (400, GET + b"a: b\x00c\r\n\r\n"),
        (400, GET + b"a\x1b: b\r\n\r\n"),
        (400, GET + b"a: b\x1bc\r\n\r\n"),
        (400, GET + b"a: b\x7f\r\n\r\n"),
        (411, POST + b"\r\n"),
        (413, POST + b"Content-Length: %d\r\n\r\n" % (MAX_BODY + 1)),
        (413, POST + b"Content-Length: 99999999999999999\r\n\r\n"),
        (413, POST + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (MAX_BODY + 1, bytes(MAX_BODY + 1))),
        (413, POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1;%b\r\nx\r\n" % (b"e" * 9_000) * 10),
        (414, b"GET /%b HTTP/1.1\r\n%b\r\n" % (b"a" * MAX_TARGET, HOST)),
        (414, b"GET /" + b"a" * (MAX_HEAD + 1)),
        (417, POST + b"Content-Length: 1\r\nExpect: tea\r\n\r\n"),
        (431, GET + b"a: %b\r\n" % (b"b" * MAX_HEAD)),
        (431, GET + b"a: %b\r\n\r\n" % (b"b" * MAX_HEAD)),
        (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ],
)
def test_what_is_not_taken(status: int, data: bytes) -> None:
    found = problem(data)
    assert found.status == status
    assert found.close


def test_what_is_broken_is_told_in_words() -> None:
    assert str(problem(GET + b"a: b\x00c\r\n\r\n")) == "this is not HTTP/1.1: illegal header line"


def test_empty_lines_in_front_are_passed_over() -> None:
    connection = HttpConnection()
    for data in (b"\r\n\r\n" + GET + b"\r\n", b"\r\n", b"\n" + GET, b"\r\n"):
        connection.feed(data)
        if request := connection.receive():
            assert request.path == "/a"
            connection.answer(Response(204))
    assert connection.receive() is None
    assert not connection.over
    assert connection.farewell(ENDING) == b""


def test_nothing_else_begins_by_http_1_0() -> None:
    (request,) = received(b"GET /a HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
    assert "upgrade" not in request.headers


def test_what_is_largest() -> None:
    assert (
        len(received(POST + b"Content-Length: %d\r\n\r\n" % MAX_BODY + bytes(MAX_BODY))[0].body) == MAX_BODY
    )
    target = b"/" + b"a" * (MAX_TARGET - 1)
    assert received(b"GET %b HTTP/1.1\r\n%b\r\n" % (target, HOST))[0].path == target.decode()


def refusing(_request: Request) -> None:
    raise Problem(404, "no")


def test_what_is_refused_leaves_the_connection_if_nothing_follows() -> None:
    connection = HttpConnection(refusing)
    connection.feed(GET + b"\r\n")
    with pytest.raises(Problem) as caught:
        connection.receive()
    assert b"Connection" not in connection.answer(caught.value.response())
    assert not connection.over


def test_what_is_refused_with_a_body_to_come_ends_it() -> None:
    connection = HttpConnection(refusing)
    connection.feed(POST + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    with pytest.raises(Problem) as caught:
        connection.receive()
    assert connection.pending() == b""
    assert b"Connection: close\r\n" in connection.answer(caught.value.response())
    assert connection.over


def test_a_body_is_asked_for() -> None:
    connection = HttpConnection()
    connection.feed(POST + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    assert connection.receive() is None
    assert connection.pending() == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert connection.pending() == b""
    connection.feed(b"hello")
    request = connection.receive()
    assert request is not None
    assert request.body == b"hello"


def test_no_body_is_asked_for_where_none_is_to_come() -> None:
    connection = asked(POST + b"Content-Length: 0\r\nExpect: 100-continue\r\n\r\n")
    connection.answer(json_response({}))
    assert connection.pending() == b""


def asked(data: bytes) -> HttpConnection:
    connection = HttpConnection()
    connection.feed(data)
    assert connection.receive() is not None
    return connection


def test_an_answer() -> None:
    head, body = asked(GET + b"\r\n").answer(json_response({"a": 1})).split(b"\r\n\r\n")
    assert body == b'{"a":1}\n'
    lines = head.split(b"\r\n")
    assert lines[0] == b"HTTP/1.1 200 OK"
    names = {line.partition(b":")[0] for line in lines[1:]}
    assert {b"Date", b"Content-Length", b"X-Content-Type-Options", b"Referrer-Policy"} <= names
    assert b"Server" not in names
    assert b"Content-Length: 8" in lines


def test_a_head_has_no_body() -> None:
    connection = asked(b"HEAD /a HTTP/1.1\r\n" + HOST + b"\r\n")
    answer = connection.answer(json_response({"a": 1}))
    assert answer.endswith(b"\r\n\r\n")
    assert b"Content-Length: 8\r\n" in answer
    assert not connection.over


def test_http_1_0_ends_after_one_answer() -> None:
    connection = asked(b"GET /a HTTP/1.0\r\n\r\n")
    assert connection.answer(Response(200, {}, b"x")).endswith(b"\r\n\r\nx")
    assert connection.over


def streaming() -> Streaming:
    return Streaming({"Content-Type": "application/jsonl"}, encode_all, lambda: None)


def test_an_answer_that_goes_on() -> None:
    connection = asked(GET + b"\r\n")
    head, wrap = connection.stream(streaming())
    assert b"Transfer-Encoding: chunked\r\n" in head
    assert b"Connection: close\r\n" in head
    assert wrap(b"piece") == b"5\r\npiece\r\n"
    assert wrap(b"") == b""
    said = encode_all([ENDING])
    assert connection.farewell(ENDING) == chunk(said) + b"0\r\n\r\n"


def test_an_answer_that_goes_on_without_chunks() -> None:
    connection = asked(b"GET /a HTTP/1.0\r\n\r\n")
    head, wrap = connection.stream(streaming())
    assert b"Transfer-Encoding" not in head
    assert wrap(b"piece") == b"piece"
    assert connection.farewell(ENDING) == encode_all([ENDING])


def test_a_connection_on_which_nothing_is_asked_for_is_kept_shorter() -> None:
    connection = HttpConnection()
    assert connection.seconds == HANDSHAKE_SECONDS
    connection.feed(GET + b"\r\n")
    assert connection.receive() is not None
    connection.answer(Response(204))
    assert connection.seconds == KEEP_ALIVE_SECONDS
    connection.feed(b"G")
    assert connection.seconds == HANDSHAKE_SECONDS


@pytest.mark.parametrize("data", [b"", b"GET /", POST + b"Content-Length: 5\r\n\r\nhe"])
def test_what_is_not_complete_is_answered_in_the_end(data: bytes) -> None:
    connection = HttpConnection()
    connection.feed(data)
    assert connection.receive() is None
    answer = connection.farewell(Error(code="timeout", text="you did not say who you are", fatal=True))
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"no request within 10 seconds" in answer


def test_between_two_requests_nothing_is_said_in_the_end() -> None:
    connection = asked(GET + b"\r\n")
    connection.answer(Response(204))
    assert connection.farewell(ENDING) == b""
    assert connection.receive() is None
    assert connection.farewell(ENDING) == b""
    connection.feed(b"GET /")
    assert connection.receive() is None
    assert connection.farewell(ENDING).startswith(b"HTTP/1.1 503 ")


@unhurried
@given(st.binary(max_size=300), st.sampled_from([b"", b"GET ", GET, GET + b"\r\n", POST, b"\r\n"]))
def test_noise_is_requests_and_problems(noise: bytes, before: bytes) -> None:
    connection = HttpConnection()
    connection.feed(before + noise)
    while not connection.over:
        try:
            if connection.receive() is None:
                break
            connection.answer(Response(204))
        except Problem as caught:
            assert 400 <= caught.status < 600
            connection.answer(caught.response())
    connection.farewell(ENDING)
