"""What ``curl`` can do: post, follow, look up; on a real server, by the real ``curl``."""

from __future__ import annotations

import json
import socket
import threading
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

import pytest

import chatctl
from tests.curl import Api, curl
from tests.helpers import SECONDS, RunningServer, fixed_port, fresh, running_server, wait_for


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server("--rate", "0") as running:
        yield running


@pytest.fixture
def bot(server: RunningServer) -> Api:
    return Api(server, "bot:")


@pytest.fixture
def anyone(server: RunningServer) -> Api:
    return Api(server)


JSON = ("-H", "Content-Type: application/json")
EVENTS = ("-H", "Accept: text/event-stream")
PLAIN = ("-H", "Content-Type: text/plain; charset=UTF-8")


# Posting


def test_what_is_posted_is_kept_and_reaches_the_room(server: RunningServer, bot: Api) -> None:
    room = fresh("ops")
    with server.client(fresh("ann"), rooms={room: None}) as ann:
        ann.settle()
        answer = bot.post(room, "deploy done")
        assert answer.status == 201
        assert answer.headers["cache-control"] == "no-store"
        assert answer.json == {"room": room, "id": 1, "at": answer.json["at"]}
        (message,) = ann.settle()  # Nobody came, and nobody went.
    assert message == {
        "t": "msg",
        "id": 1,
        "at": answer.json["at"],
        "room": room,
        "name": "bot",
        "text": "deploy done",
    }
    assert bot.messages(room) == [message]


@pytest.mark.parametrize(
    ("args", "stdin", "text"),
    [
        (("-d", "a=b&c=%20+d"), b"", "a=b&c=%20+d"),
        (("--data-binary", "@-"), b"one\n\ttwo\n", "one\n\ttwo"),
        (("--data-binary", "@-"), b"one\r\ntwo", "one\ntwo"),
        (("-d", "@-"), b"one\ntwo\n", "onetwo"),
        ((*PLAIN, "-d", "grüße 👋"), b"", "grüße 👋"),
        (("-H", "Content-Type:", "-d", "no type"), b"", "no type"),
        ((*JSON, "-d", '{"text": "a\\nb", "more": [1]}'), b"", "a\nb"),
        (("-H", "Transfer-Encoding: chunked", "--data-binary", "@-"), b"x" * 8000, "x" * 8000),
    ],
)
def test_ways_to_say_it(bot: Api, args: tuple[str, ...], stdin: bytes, text: str) -> None:
    room = fresh("ways")
    answer = curl(f"{bot.base}/api/rooms/{room}", "-u", "bot:", *args, stdin=stdin)
    assert answer.status == 201, answer
    assert bot.texts(room) == [text]


def test_an_action(bot: Api) -> None:
    room = fresh("actions")
    bot.posted(room, '{"text": "waves", "kind": "action"}', *JSON)
    assert bot.messages(room)[0]["kind"] == "action"


@pytest.mark.parametrize(
    ("status", "code", "args"),
    [
        (400, "bad-text", ("-d", "")),
        (400, "bad-text", ("-d", "\x1b[31m")),
        (400, "bad-text", ("-d", "x" * 8001)),
        (400, "bad-text", ("-d", "\u0085")),
        (400, "bad-request", (*JSON, "-d", "deploy done")),
        (400, "bad-request", (*JSON, "-d", '{"text": 5}')),
        (400, "bad-request", (*JSON, "-d", '{"kind": "action"}')),
        (400, "bad-request", (*JSON, "-d", '{"text": "x", "kind": "shout"}')),
        (400, "bad-request", (*JSON, "-d", "[" * 9000)),
        (400, "bad-request", (*JSON, "-d", '{"text": "\\ud800"}')),
        (400, "bad-request", ("-d", "x", "-H", "Idempotency-Key;")),
        (400, "bad-request", ("-d", "x", "-H", f"Idempotency-Key: {'k' * 65}")),
        (400, "bad-request", ("-d", "x", "-H", "Idempotency-Key: schlüssel")),
        (415, "unsupported-type", ("-F", "text=x")),
        (415, "unsupported-type", ("-d", "x", "-H", "Content-Type: text/plain; charset=latin-1")),
        (415, "unsupported-type", ("-d", "x", "-H", "Content-Encoding: gzip")),
        (413, "too-long", ("-d", "x" * 16385)),
        (413, "too-long", ("-d", "x" * 99999, "-H", "Transfer-Encoding: chunked")),
        (405, "method-not-allowed", ("-X", "PUT", "-d", "x")),
        (405, "method-not-allowed", ()),
        (401, "auth-failed", ("-d", "x", "-H", "Authorization: Bearer key")),
        (401, "auth-failed", ("-d", "x", "-H", "Authorization: Basic bot")),
        (400, "bad-name", ("-d", "x", "-u", ":")),
        (400, "bad-name", ("-d", "x", "-u", "no name:")),
    ],
)
def test_what_is_no_post(bot: Api, status: int, code: str, args: tuple[str, ...]) -> None:
    room = fresh("refused")
    user = () if "-u" in args or any("Authorization" in arg for arg in args) else ("-u", "bot:")
    answer = curl(f"{bot.base}/api/rooms/{room}", *user, *args)
    assert (answer.status, answer.code) == (status, code), answer
    assert status != 401 or answer.headers["www-authenticate"].startswith("Basic realm=")
    assert bot.get(f"/api/rooms/{room}/messages").code == "no-such-room"


def test_a_room_may_be_called_in_any_spelling(bot: Api) -> None:
    room = fresh("ops")
    for spelled in (room.upper(), f"%23{room}"):
        assert curl(f"{bot.base}/api/rooms/{spelled}", "-u", "bot:", "-d", "x").json["room"] == room
    assert bot.post("no%20room", "x").code == "bad-room"
    assert bot.post("x" * 49, "x").code == "bad-room"
    assert bot.post("%ff", "x").status == 400
    assert bot.post(f"{room}?room=lobby", "x").code == "bad-request"


def test_many_at_once_are_each_posted_once(server: RunningServer, bot: Api) -> None:
    room = fresh("busy")
    texts = [f"text {number}" for number in range(40)]
    with ThreadPoolExecutor(8) as pool, server.client(fresh("ann"), rooms={room: None}) as ann:
        ids = list(pool.map(lambda text: bot.posted(room, text), texts))
        assert sorted(ids) == list(range(1, 41))
        assert [message["id"] for message in ann.messages(40)] == sorted(ids)
    kept = {message["id"]: message["text"] for message in bot.messages(room)}
    assert kept == dict(zip(ids, texts, strict=True))


def test_the_members_of_a_room_and_others_post_at_once(server: RunningServer, bot: Api) -> None:
    room = fresh("mixed")
    with server.client("mia", rooms={room: None}) as mia, ThreadPoolExecutor(2) as pool:
        posted = pool.map(lambda number: bot.posted(room, f"bot {number}"), range(20))
        for number in range(200):
            mia.say(f"mia {number}", room=room, nonce=str(number))
        got = [mia.receive() or {} for _ in range(220 + 1)]
        ids = [frame["id"] for frame in got if frame["t"] in ("msg", "ack")]
        assert ids == list(range(1, 221))
        assert set(posted) == {frame["id"] for frame in got if frame["t"] == "msg"}


def test_a_key_for_what_is_posted_holds_across_a_restart(tmp_path: Path) -> None:
    port = fixed_port()
    keys = ("-H", "Idempotency-Key: one")
    args = ("--port", str(port), "--data", str(tmp_path))
    with running_server(*args) as server, server.client("ann") as ann:
        ann.settle()
        first = Api(server, "bot:").post("lobby", "once", *keys)
        assert Api(server, "bot:").post("lobby", "once", *keys).json == first.json
        assert Api(server, "eve:").posted("lobby", "hers", *keys) == 2
        assert ann.texts(2) == ["once", "hers"]
        server.kill()
    with running_server(*args) as server:
        bot = Api(server, "bot:")
        again = bot.post("lobby", "once", *keys)
        assert (again.status, again.json) == (201, first.json)
        assert bot.texts("lobby") == ["once", "hers"]
        assert bot.messages("lobby")[0]["nonce"] == "one"
        assert "nonce" not in Api(server, "eve:").messages("lobby")[0]


def test_nothing_is_answered_before_it_is_kept(tmp_path: Path) -> None:
    data, away = tmp_path / "data", tmp_path / "away"
    with running_server("--data", str(data), "--rate", "0") as server, server.client("ann") as ann:
        ann.settle()
        bot = Api(server, "bot:")
        assert bot.get("/healthz").json == {"status": "ok", "version": chatctl.__version__}
        data.rename(away)
        for room in ("lobby", "new"):
            refused = bot.post(room, "lost")
            assert (refused.status, refused.code) == (503, "storage")
            assert refused.headers["retry-after"]
        ill = bot.get("/healthz")
        assert (ill.status, ill.code) == (503, "storage")
        away.rename(data)
        wait_for(lambda: bot.get("/healthz").status == 200, "the disk is back")
        assert bot.posted("lobby", "kept") == 1
        assert ann.texts(1) == ["kept"]
        assert bot.texts("lobby") == ["kept"]
        assert [line["room"] for line in bot.get("/api/rooms").json["rooms"]] == ["lobby"]


# Names


def test_the_name_of_somebody_who_is_here(server: RunningServer, bot: Api) -> None:
    room, name = fresh("taken"), fresh("Paul")
    with server.client(name):
        for spelled in (name, name.lower(), name.replace("l", "I")):
            answer = Api(server, f"{spelled}:").post(room, "x")
            assert (answer.status, answer.code) == (409, "name-taken")
    assert Api(server, f"{name}:").posted(room, "x") == 1


def test_a_name_is_had_for_a_moment_only(server: RunningServer, bot: Api) -> None:
    room, name = fresh("moment"), fresh("max")
    assert Api(server, f"{name}:").posted(room, "x") == 1
    with server.client(name, rooms={room: None}) as client:
        client.send("who")
        assert "bot" not in client.expect("members")["names"]


# Following


def test_first_what_was_said_then_what_is(server: RunningServer, bot: Api) -> None:
    room = fresh("stream")
    with server.client(fresh("ann"), rooms={room: None}) as ann:
        ann.say("one", room=room)
        ann.settle()
        with bot.following(room, "?since=10m") as stream, bot.following(room) as later:
            # What is said now comes behind what they begin with.
            assert stream.texts(1) == ["one"]
            ann.say("two", room=room)
            assert stream.texts(1) == ["two"]
            assert later.texts(1) == ["two"]
            assert ann.settle() == []  # Nobody is told of those who follow.
            ann.send("who", room=room)
            assert ann.expect("members")["count"] == 1
            assert bot.get("/api/rooms").json["rooms"][0]["count"] <= 1


def test_from_where_on(bot: Api) -> None:
    room = fresh("since")
    for number in range(1, 5):
        bot.posted(room, f"{number}")
    first = bot.messages(room)[0]["at"]
    for since, texts in [("0", "1234"), ("2", "34"), ("10m", "1234"), ("today", "1234")]:
        with bot.following(room, f"?since={since}") as stream:
            assert "".join(stream.texts(len(texts))) == texts
    assert first
    for wrong in ("?since=tomorrow", "?since=", "?sinse=1", "?since=1&since=2", "?since"):
        assert bot.get(f"/api/rooms/{room}/stream{wrong}").code == "bad-request"
    assert bot.get(f"/api/rooms/{room}/stream", "-H", "Last-Event-ID: x").code == "bad-request"


def test_events(server: RunningServer, bot: Api) -> None:
    room = fresh("events")
    bot.posted(room, "one")
    bot.posted(room, "two\nlines")
    with bot.following(
        room, "?since=9", "-H", "Accept: text/event-stream", "-H", "Last-Event-ID: 1"
    ) as stream:
        event = stream.event()
        assert list(event) == ["id", "data"]
        assert (event["id"], json.loads(event["data"])["text"]) == ("2", "two\nlines")
        server_says = bot.posted(room, "three")
        assert stream.event()["id"] == str(server_says)


def test_every_message_once_while_many_come(server: RunningServer) -> None:
    room, count = fresh("flood"), 3_000
    texts = [str(number) for number in range(count)]
    bot = Api(server, "bot:")
    with server.client(fresh("ann"), rooms={room: None}) as ann:
        ann.say("begin", room=room)
        ann.settle()
        started = threading.Event()

        def say() -> None:
            for text in texts:
                ann.say(text, room=room)
                if text == "300":
                    started.set()
            ann.settle()

        with ThreadPoolExecutor(6) as pool:
            saying = pool.submit(say)
            started.wait()
            for ids in pool.map(lambda _: first_ids(bot, room, count + 1), range(4)):
                assert ids == list(range(1, count + 2))
            saying.result()


def first_ids(bot: Api, room: str, count: int) -> list[int]:
    with bot.following(room, "?since=0") as stream:
        return [stream.frame()["id"] for _ in range(count)]


def test_what_is_redacted_while_it_is_followed(tmp_path: Path) -> None:
    with running_server("--data", str(tmp_path)) as server, server.client("ann") as ann:
        ann.send("register", password="correct horse")
        ann.expect("account")
        ann.say("a secret", nonce="a")
        ann.settle()
        bot = Api(server, "bot:")
        with (
            bot.following("lobby", "?since=0") as lines,
            bot.following("lobby", "?since=0", *EVENTS) as stream,
        ):
            assert lines.frame()["text"] == "a secret"
            assert json.loads(stream.event()["data"])["text"] == "a secret"
            ann.send("redact", room="lobby", id=1)
            redacted = {"t": "redacted", "room": "lobby", "id": 1, "name": "ann"}
            assert lines.frame() == redacted
            event = stream.event()
            assert (event["event"], json.loads(event["data"])) == ("redacted", redacted)
        assert bot.texts("lobby") == [""]


def test_what_is_no_longer_kept_is_told(tmp_path: Path) -> None:
    with running_server("--ephemeral", "--keep-messages", "3", "--rate", "0") as server:
        bot = Api(server, "bot:")
        for number in range(1, 6):
            bot.posted("lobby", str(number))
        with bot.following("lobby", "?since=1") as stream:
            assert stream.frame() == {"t": "gap", "room": "lobby", "after": 1, "before": 3}
            assert stream.texts(3) == ["3", "4", "5"]
        page = bot.get("/api/rooms/lobby/messages?after=1").json
        assert page["gap"] == {"after": 1, "before": 3}
        page = bot.get("/api/rooms/lobby/messages?after=0&before=2").json
        assert (page["messages"], page["gap"]) == ([], {"after": 0, "before": 2})
        # An id of an earlier life of the server: what there is of this one is new.
        with bot.following("lobby", "?since=99") as stream:
            assert stream.texts(3) == ["3", "4", "5"]


def test_resumed_across_a_restart_with_every_id_once(tmp_path: Path) -> None:
    args = ("--port", str(fixed_port()), "--data", str(tmp_path), "--rate", "0")
    seen: list[int] = []
    last = 0
    for life in range(3):
        with running_server(*args) as server:
            bot = Api(server, "bot:")
            if not life:
                bot.posted("ops", "first")
            with bot.following("ops", "", *EVENTS, "-H", f"Last-Event-ID: {last}") as stream:
                for number in range(3):
                    bot.posted("ops", f"{life} {number}")
                count = 2 if life < 2 else 10 - len(seen)
                seen += [int(stream.event()["id"]) for _ in range(count)]
                last = seen[-1]
                # What was sent behind that is lost with the connection, as far as the client knows.
                server.kill() if life == 0 else server.stop()
    assert seen == list(range(1, 11))


def test_the_server_says_that_it_stops(server: RunningServer) -> None:
    with running_server() as stopping:
        bot = Api(stopping, "bot:")
        bot.posted("lobby", "x")
        with (
            bot.following("lobby", "?since=0") as lines,
            bot.following("lobby", "?since=0", *EVENTS) as stream,
        ):
            assert lines.texts(1) == ["x"]
            stream.event()
            assert stopping.stop() == 0
            assert lines.frame()["code"] == "shutting-down"
            assert lines.ended() == 0
            event = stream.event()
            assert (event["event"], json.loads(event["data"])["code"]) == ("end", "shutting-down")
            assert stream.ended() == 0


def asked(server: RunningServer, room: str) -> bytes:
    """Returns what asks to follow a room."""
    return f"GET /api/rooms/{room}/stream HTTP/1.1\r\nHost: localhost:{server.port}\r\n\r\n".encode()


def test_many_who_follow_and_say_nothing_stay(server: RunningServer, bot: Api) -> None:
    """More than the server would wait for, were they still to come in."""
    room, text = fresh("silent"), fresh("text")
    bot.posted(room, "x")
    clients = []
    try:
        for _ in range(100):
            clients.append(client := server.raw())
            client.send_bytes(
                f"GET /api/rooms/{room}/stream HTTP/1.1\r\nHost: localhost:{server.port}\r\n\r\n".encode()
            )
            assert client.sock.recv(12) == b"HTTP/1.1 200"
        with server.client(fresh("ann")):
            bot.posted(room, text)
        for client in clients:
            data = b""
            while text.encode() not in data:
                more = client.sock.recv(1 << 16)
                assert more, data
                data += more
    finally:
        for client in clients:
            client.close()


def test_who_does_not_read_is_cut_off(server: RunningServer, bot: Api) -> None:
    room = fresh("slow")
    bot.posted(room, "x")
    with server.raw(narrow=True) as slow, server.client(fresh("ann"), rooms={room: None}) as ann:
        slow.send_bytes(asked(server, room))
        assert slow.sock.recv(12) == b"HTTP/1.1 200"
        before = server.threads()
        for number in range(100):
            ann.say("x" * 7_900, room=room, nonce=str(number))
        assert [frame["t"] for frame in ann.settle()].count("ack") == 100
        wait_for(lambda: server.threads() < before, "the slow one is gone")
        data = b""
        while more := slow.sock.recv(1 << 16):
            data += more
    assert len(data) < 100 * 7_900


# Reading


def test_pages_of_what_was_said(bot: Api) -> None:
    room = fresh("pages")
    for number in range(1, 6):
        bot.posted(room, str(number))
    for query, texts, more in [
        ("", "12345", False),
        ("?limit=2", "45", True),
        ("?before=3", "12", False),
        ("?before=5&limit=2", "34", True),
        ("?after=1&limit=2", "23", True),
        ("?after=4", "5", False),
        ("?after=1&before=4", "23", False),
        ("?since=10m&limit=1", "1", True),
        ("?since=3", "45", False),
        ("?since=3&after=4", "5", False),
        ("?since=2999-01-01", "", False),
    ]:
        page = bot.get(f"/api/rooms/{room}/messages{query}").json
        assert ("".join(m["text"] for m in page["messages"]), page["more"]) == (texts, more), query
        assert page["room"] == room
    for wrong in ("limit=0", "limit=501", "limit=", "before=-1", "after=x", "before=9999999999999999", "x=1"):
        assert bot.get(f"/api/rooms/{room}/messages?{wrong}").code == "bad-request", wrong
    assert bot.get(f"/api/rooms/{room}/messages?before=%ff").code == "bad-request"
    for path, text in [
        (f"/api/rooms/{room}/messages?limit=ten", "limit is a number from 1 to 500"),
        ("/api/rooms?limit=1", "there is no query here"),
    ]:
        assert bot.get(path).json["error"]["text"] == text


def test_searching(bot: Api) -> None:
    room = fresh("search")
    bot.posted(room, "the Deploy is done")
    bot.posted(room, "another one")
    found = bot.get(f"/api/rooms/{room}/search?text=done+deploy").json
    assert [message["id"] for message in found["messages"]] == [1]
    assert bot.get(f"/api/rooms/{room}/search").code == "bad-request"
    assert bot.get(f"/api/rooms/{room}/search?text=").code == "bad-text"


@pytest.mark.parametrize("path", ["messages", "search?text=x", "stream"])
def test_a_room_that_is_not_there(bot: Api, path: str) -> None:
    answer = bot.get(f"/api/rooms/{fresh('none')}/{path}")
    assert (answer.status, answer.code) == (404, "no-such-room")
    assert bot.get(f"/api/rooms/no%20room/{path}").code == "bad-room"


def test_what_is_not_there(anyone: Api) -> None:
    for path in ("/api", "/api/", "/api/rooms/", "/api/rooms/x/y", "/api/rooms/lobby/messages/1"):
        answer = anyone.get(path)
        assert (answer.status, answer.code) == (404, "not-found"), path
    answer = anyone.get("/api/rooms", "-X", "DELETE")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
    assert anyone.get("/api/rooms", "-I").body == b""


def test_several_requests_on_one_connection(bot: Api) -> None:
    url = f"{bot.base}/api/rooms/{fresh('kept')}"
    first = ("-u", "bot:", "-d", "x", "-o", "/dev/null")
    done = curl(url + "/messages", *first, url, "--next", "-sSi", "-w", "%{num_connects}")
    assert done.body.endswith(b"\n0")


# Over TLS


def test_over_tls() -> None:
    with running_server("--tls", "required") as server:
        bot = Api(server, "bot:", "-k", scheme="https")
        assert bot.posted("lobby", "sealed") == 1
        with bot.following("lobby", "?since=0") as stream:
            assert stream.texts(1) == ["sealed"]
            bot.posted("lobby", "too")
            assert stream.texts(1) == ["too"]
        plain = Api(server, "bot:").post("lobby", "open")
        assert (plain.status, plain.code) == (426, "tls-required")
        assert "use https://" in plain.json["error"]["text"]


# From elsewhere


@pytest.mark.parametrize(
    "header",
    [
        "Origin: http://evil.test",
        "Origin: null",
        "Origin: http://127.0.0.1.evil.test",
        "Host: evil.test",
        "Host: 127.0.0.1.evil.test",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
    ],
)
def test_what_a_page_of_another_site_sends_is_not_posted(bot: Api, header: str) -> None:
    room = fresh("foreign")
    for kind in (PLAIN, ("-H", "Content-Type: application/x-www-form-urlencoded"), JSON):
        answer = bot.post(room, '{"text":"x"}', "-H", header, *kind)
        assert (answer.status, answer.code) == (403, "forbidden")
    assert bot.get(f"/api/rooms/{room}/messages").status == 404


def test_a_page_of_the_servers_own_may_post(server: RunningServer, bot: Api) -> None:
    room = fresh("own")
    own = ("-H", f"Origin: http://localhost:{server.port}", "-H", "Sec-Fetch-Site: same-origin")
    assert bot.posted(room, "x", *own) == 1


def test_credentials_in_the_address_or_a_cookie_count_for_nothing(anyone: Api) -> None:
    assert anyone.post("lobby", "x", "-b", "name=bot").status == 401
    assert anyone.post("lobby?name=bot&key=", "x").status == 401


# Without curl


def raw(server: RunningServer, data: str) -> bytes:
    """Sends `data` and no more; returns what is answered until the server closes."""
    with server.raw() as client:
        client.send_bytes(data.replace("\n", "\r\n").encode())
        client.sock.shutdown(socket.SHUT_WR)
        received = b""
        while more := client.sock.recv(1 << 16):
            received += more
    return received


def test_requests_that_come_at_once_are_answered_in_turn(server: RunningServer, bot: Api) -> None:
    room = fresh("turns")
    head = f"POST /api/rooms/{room} HTTP/1.1\nHost: localhost:{server.port}\nAuthorization: Basic Ym90Og==\n"
    received = raw(server, "".join(f"{head}Content-Length: 2\n\n{text}" for text in ("a1", "b2", "c3")))
    assert [json.loads(line)["id"] for line in received.splitlines() if line[:1] == b"{"] == [1, 2, 3]
    assert bot.texts(room) == ["a1", "b2", "c3"]


def test_a_post_that_is_not_complete_is_not_posted(server: RunningServer, bot: Api) -> None:
    room = fresh("half")
    head = f"POST /api/rooms/{room} HTTP/1.1\nHost: localhost:{server.port}\nAuthorization: Basic Ym90Og==\n"
    for rest in (
        "Content-Length: 10\n\nhello",
        "Transfer-Encoding: chunked\n\n5\nhello\n",
        "Content-Length: 5\nTransfer-Encoding: chunked\n\n5\nhello\n0\n\n",
        "Content-Length: 5\nContent-Length: 6\n\nhello!",
    ):
        assert b" 201 " not in raw(server, head + rest)
    assert bot.get(f"/api/rooms/{room}/messages").status == 404


def test_a_post_byte_by_byte(server: RunningServer, bot: Api) -> None:
    room = fresh("bytes")
    head = f"POST /api/rooms/{room} HTTP/1.1\r\nHost: localhost:{server.port}\r\n"
    with server.raw() as client:
        for byte in f"{head}Authorization: Basic Ym90Og==\r\nContent-Length: 5\r\n\r\nhello".encode():
            client.send_bytes(bytes([byte]))
        assert client.sock.recv(1 << 16).startswith(b"HTTP/1.1 201 ")
    assert bot.texts(room) == ["hello"]


def test_frames_in_a_body_are_a_text(server: RunningServer, bot: Api) -> None:
    room = fresh("frames")
    frames = '{"t":"hello","v":1,"name":"eve"}\n{"t":"say","text":"x"}\n'
    answer = curl(f"{bot.base}/api/rooms/{room}", "-u", "bot:", "--data-binary", frames)
    assert answer.status == 201
    assert bot.texts(room) == [frames.removesuffix("\n")]


def test_following_by_http_1_0(server: RunningServer, bot: Api) -> None:
    room = fresh("old")
    bot.posted(room, "hello")
    ask = f"GET /api/rooms/{room}/stream?since=0 HTTP/1.0\r\nHost: localhost:{server.port}\r\n\r\n"
    with server.raw() as client:
        client.send_bytes(ask.encode())
        received = b""
        while not received.endswith(b"}\n\n"):
            received += client.sock.recv(1 << 16)
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"Transfer-Encoding" not in head
    assert json.loads(body)["text"] == "hello"


def test_what_is_sent_by_one_who_follows_counts_for_nothing(server: RunningServer, bot: Api) -> None:
    room = fresh("busy")
    bot.posted(room, "hello")
    with server.raw() as client:
        client.send_bytes(asked(server, room) * 100)
        received = b""
        while b"\r\n1\r\n\n\r\n" not in received:
            received += client.sock.recv(1 << 16)
        client.send_bytes(b'{"t":"say","text":"x"}\n' * 1000)
        bot.posted(room, "there")
        while b'"there"' not in received:
            received += client.sock.recv(1 << 16)
    assert received.count(b"HTTP/1.1 ") == 1
    assert bot.texts(room) == ["hello", "there"]


def test_the_head_of_a_stream(bot: Api) -> None:
    room = fresh("head")
    bot.posted(room, "hello")
    answer = bot.get(f"/api/rooms/{room}/stream", "-I")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-type"] == "application/x-ndjson"


# What is logged


def told(server: RunningServer, name: str) -> list[str]:
    """Returns what was logged of somebody."""
    lines = [line.partition(" INFO ")[2] for line in server.log.splitlines()]
    return [line for line in lines if line.startswith(f"{name} ")]


def test_who_posts_and_follows_is_logged_but_never_what_or_by_which_key() -> None:
    with running_server("--key", "the-key-of-all") as server:
        bot = Api(server, "bot:the-key-of-all", "-A", "robot/1\x9b[2J" + "x" * 100)
        with bot.following("lobby") as stream:
            assert stream.line() == ""
            assert bot.posted("lobby", "what is said") == 1
            assert stream.texts(1) == ["what is said"]
        assert bot.post("ops", "").status == 400
        agent = ("robot/1\u00c2\\x9b[2J" + "x" * 100)[:64]
        expected = [
            f"bot follows #lobby from 127.0.0.1 ({agent})",
            f"bot posts from 127.0.0.1 ({agent})",
            "bot follows #lobby no longer (127.0.0.1)",
        ]
        wait_for(lambda: len(told(server, "bot")) == len(expected), "an end to the following")
        assert told(server, "bot") == expected
        assert "what is said" not in server.log
        assert "the-key-of-all" not in server.log


def test_who_posts_often_on_one_connection_is_logged_once() -> None:
    with running_server("--rate", "0") as server:
        connection = HTTPConnection(server.host, server.port, timeout=SECONDS)
        for name in ("bot", "bot", "other", "other"):
            headers = {"Authorization": f"Basic {b64encode(f'{name}:'.encode()).decode()}"}
            connection.request("POST", "/api/rooms/ops", "x", headers | {"User-Agent": "h"})
            assert json.load(connection.getresponse())["room"] == "ops"
        connection.close()
        wait_for(lambda: told(server, "other"), "what is logged")
        assert told(server, "bot") == ["bot posts from 127.0.0.1 (h)"]
        assert told(server, "other") == ["other posts from 127.0.0.1 (h)"]


def test_who_follows_without_a_name_is_logged_too() -> None:
    with running_server() as server:
        with Api(server, "", "-A", "").following("lobby") as stream:
            assert stream.line() == ""
        expected = [
            "somebody follows #lobby from 127.0.0.1 (no agent)",
            "somebody follows #lobby no longer (127.0.0.1)",
        ]
        wait_for(lambda: told(server, "somebody") == expected, "an end to the following")
