"""`/export`: what a server tells of a room becomes the file that `chatctl export` would make of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chatctl.archive.exporting import export
from chatctl.archive.importing import import_file
from chatctl.client.connection import ChatClient
from chatctl.client.terminal.exporting import export_room
from chatctl.errors import ChatError, ConnectionFailed, DataError
from chatctl.history.log import Post
from chatctl.history.sqlite import SqliteLog
from chatctl.messages import MAX_PAGE, Msg, Topic
from tests.helpers import SECONDS, RunningServer, fresh, running_server
from tests.scripted import Line, Script
from tests.test_archive_formats import HOSTILE

COUNT = 2 * MAX_PAGE + 100
TOPIC = "<b>news</b>\n\u202eof *the* day"
GONE = '{"t":"gap","room":"old","after":0,"before":11}\n'
KEPT = '{"t":"msg","id":11,"at":1700000000000,"room":"old","name":"ann","text":"still here"}\n'


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory: in #dev there are hostile texts and many others, in #old the first ones are gone."""
    made = tmp_path_factory.mktemp("data")
    old = made / "old.jsonl"
    old.write_text(GONE + KEPT)
    import_file(old, made)
    texts = HOSTILE + [f"text {number}" for number in range(COUNT - len(HOSTILE))]
    log = SqliteLog(made)
    log.set_topic(Topic("dev", TOPIC, "ann", 1_700_000_000_000))
    log.append("dev", [Post(*_author(place), text, nonce=f"n{place}") for place, text in enumerate(texts)])
    log.append("dev", [Post("bob", "bob", "waves\ntwice", "action")])
    log.append("dev", [Post("bob", "bob", "secretword")])
    log.redact("dev", COUNT + 2)
    log.append("lobby", [Post("ann", "ann", "elsewhere")])
    log.close()
    return made


def _author(place: int) -> tuple[str, str]:
    return ("ann", "ann") if place % 3 else ("Çem", "çem")


@pytest.fixture(scope="module")
def server(data: Path) -> Iterator[RunningServer]:
    with running_server("--rate", "0", "--data", str(data)) as running:
        yield running


@pytest.fixture
def eve(server: RunningServer) -> Iterator[ChatClient]:
    with ChatClient.connect(server.host, server.port, fresh("eve"), reconnect=False) as client:
        yield client


def left_in(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


# Against a real server


@pytest.mark.parametrize("name", ["out.md", "out.HTML", "out.txt"])
def test_files_for_people_are_those_of_export(eve: ChatClient, data: Path, tmp_path: Path, name: str) -> None:
    mine, whole = tmp_path / name, tmp_path / f"whole-{name}"
    assert export_room(eve, "#Dev", mine, TOPIC) == COUNT + 2
    assert export(data, whole, room="dev") == 0
    assert mine.read_bytes() == whole.read_bytes()
    assert mine.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["out.jsonl", "out", "out.log"])
def test_json_lines_are_those_of_export_but_for_what_a_client_is_not_told(
    eve: ChatClient, data: Path, tmp_path: Path, name: str
) -> None:
    mine, whole = tmp_path / name, tmp_path / "whole.jsonl"
    assert export_room(eve, "dev", mine, TOPIC) == COUNT + 2
    assert export(data, whole, room="dev") == 0
    topic, *lines = whole.read_bytes().splitlines(keepends=True)
    assert topic.startswith(b'{"t":"topic"')
    expected = [line.partition(b',"nonce":')[0] for line in lines]
    found = mine.read_bytes().splitlines(keepends=True)
    assert [line.removesuffix(b"}\n") for line in found] == [line.removesuffix(b"}\n") for line in expected]


def test_json_lines_can_be_imported(eve: ChatClient, tmp_path: Path) -> None:
    for room, count in (("dev", COUNT + 2), ("old", 1)):
        path = tmp_path / f"{room}.jsonl"
        assert export_room(eve, room, path, TOPIC) == count
        assert import_file(path, tmp_path / "new").added == count


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("out.jsonl", GONE),
        ("out.txt", "messages 1\u201310 of #old are no longer kept"),
        ("out.md", "Messages 1\u201310"),
        ("out.html", "Messages 1\u201310"),
    ],
)
def test_what_is_no_longer_kept_is_told(eve: ChatClient, tmp_path: Path, name: str, says: str) -> None:
    assert export_room(eve, "old", tmp_path / name) == 1
    written = (tmp_path / name).read_text("utf-8")
    assert says in written
    assert "still here" in written


def test_the_chat_goes_on_meanwhile(server: RunningServer, eve: ChatClient, tmp_path: Path) -> None:
    with server.client("ann") as ann, ThreadPoolExecutor(1) as pool:
        exporting = pool.submit(export_room, eve, "dev", tmp_path / "out.jsonl")
        ann.say("are you there?")
        for event in eve.events():
            if isinstance(event, Msg) and event.text == "are you there?":
                break
        eve.say("yes")
        assert ann.texts(2)[1] == "yes"
        assert exporting.result() == COUNT + 2


@pytest.mark.parametrize(
    ("room", "name", "says"),
    [
        ("a b", "out.txt", "a room cannot hold"),
        ("nowhere", "out.txt", "nothing is kept of #nowhere"),
        ("dev", "there.txt", "is there already: choose another name"),
        ("dev", ".", "that is no file"),
        ("dev", "no/such/out.txt", "No such file or directory"),
        ("dev", "x" * 300, "File name too long"),
        ("dev", "a\0b", r"there can be no file .*a\\x00b"),
        ("dev", "~no-such-user/out.txt", "there can be no file ~no-such-user"),
    ],
)
def test_why_there_is_no_file(eve: ChatClient, tmp_path: Path, room: str, name: str, says: str) -> None:
    (tmp_path / "there.txt").write_text("mine")
    path = Path(name) if name.startswith("~") else tmp_path / name
    with pytest.raises(ChatError, match=says) as caught:
        export_room(eve, room, path)
    assert str(caught.value).isprintable()
    assert "--force" not in str(caught.value)
    assert left_in(tmp_path) == ["there.txt"]
    assert (tmp_path / "there.txt").read_text() == "mine"


def test_a_tilde_is_the_home_directory(
    eve: ChatClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    export_room(eve, "old", Path("~/out.txt"))
    assert left_in(tmp_path) == ["out.txt"]


# Against a scripted server


def page(line: Line, *ids: int, **keys: Any) -> dict[str, Any]:
    """Answers what is asked with messages of these ids; returns what was asked."""
    asked = line.receive("history")
    usual = {"t": "msg", "at": 1, "room": "lobby", "name": "bob", "text": "x" * 100}
    messages = [usual | {"id": id_} | keys for id_ in ids]
    line.send("history", room="lobby", messages=messages, more=True, re=asked["n"])
    return {key: value for key, value in asked.items() if key in ("after", "before", "limit")}


def opening(line: Line, last: int = 400) -> None:
    """Lets a client in, and answers what is asked before the first page."""
    line.welcome("s1")
    assert page(line, last) == {"limit": 1}
    assert page(line, 1) == {"after": 0, "before": last + 1, "limit": 1}


def scripted(script: Script, *, reconnect: bool = False) -> ChatClient:
    return ChatClient.connect(*script.address, "ann", reconnect=reconnect)


def test_page_by_page_and_not_further_than_what_was_there_at_first(tmp_path: Path) -> None:
    def serve(line: Line) -> None:
        opening(line)
        asked = page(line, *range(1, 201))
        assert asked == {"after": 0, "before": 401, "limit": MAX_PAGE}
        asked = line.receive("history")
        assert (asked["after"], asked["before"]) == (200, 401)
        (part,) = tmp_path.glob(".chatctl-*/part")
        assert part.stat().st_size > 10_000
        assert part.stat().st_mode & 0o777 == 0o600
        messages = [
            {"t": "msg", "id": id_, "at": 1, "room": "lobby", "name": "bob", "text": "y"}
            for id_ in range(201, 401)
        ]
        line.send("history", room="lobby", messages=messages, more=True, re=asked["n"])

    with Script(serve) as script, scripted(script) as client:
        assert export_room(client, "lobby", tmp_path / "out.jsonl") == 400
    lines = (tmp_path / "out.jsonl").read_bytes().splitlines()
    assert [msgspec.json.decode(line, type=Msg).id for line in lines] == list(range(1, 401))
    assert left_in(tmp_path) == ["out.jsonl"]


def test_a_line_that_is_lost_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    def serve(line: Line) -> None:
        opening(line)
        page(line, *range(1, 201))
        line.receive("history")

    with Script(serve) as script, scripted(script) as client, pytest.raises(ConnectionFailed):
        export_room(client, "lobby", tmp_path / "out.txt")
    assert left_in(tmp_path) == []


def test_a_line_that_comes_back_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatctl.client.retry.SHORTEST", 0.01)
    monkeypatch.setattr("chatctl.client.retry.LONGEST", 0.05)

    def lose(line: Line) -> None:
        opening(line)
        page(line, *range(1, 201))
        line.receive("history")

    def come_back(line: Line) -> None:
        line.welcome("s2")
        line.pong()
        page(line, *range(201, 401))

    with Script(lose, come_back) as script, scripted(script, reconnect=True) as client:
        assert export_room(client, "lobby", tmp_path / "out.txt") == 400
    assert (tmp_path / "out.txt").read_text("utf-8").count("bob: ") == 400


def test_closing_the_client_ends_it_and_leaves_nothing(tmp_path: Path) -> None:
    waiting, closed = threading.Event(), threading.Event()

    def serve(line: Line) -> None:
        opening(line)
        page(line, *range(1, 201))
        line.receive("history")
        waiting.set()
        assert closed.wait(SECONDS)

    with Script(serve) as script, ThreadPoolExecutor(1) as pool:
        client = scripted(script)
        exporting = pool.submit(export_room, client, "lobby", tmp_path / "out.txt")
        assert waiting.wait(SECONDS)
        assert left_in(tmp_path) != []
        client.close()
        assert isinstance(exporting.exception(SECONDS), ConnectionFailed)
        assert left_in(tmp_path) == []
        closed.set()


@pytest.mark.parametrize(
    ("ids", "keys", "says"),
    [
        ((), {}, "says that there is more, and does not tell what"),
        ((2, 3), {}, "#lobby 1 is no longer kept: try again"),
        ((1, 3), {}, "#lobby 1 is no longer kept"),
        ((1, 1), {}, "#lobby 1 is no longer kept"),
        (tuple(range(1, 403)), {}, "#lobby 1 is no longer kept"),
        ((1,), {"room": "dev"}, "another room"),
        ((1,), {"name": "a\nb"}, r"nobody can have said: a name cannot hold U\+000A"),
        ((1,), {"text": "\x1b[2J"}, r"nobody can have said: a text cannot hold the character U\+001B"),
        ((1,), {"at": 2**53 - 1}, "nobody can have said: a time has"),
    ],
)
@pytest.mark.parametrize("name", ["out.html", "out.jsonl"])
def test_a_server_that_lies_makes_no_file(
    tmp_path: Path, name: str, ids: tuple[int, ...], keys: dict[str, Any], says: str
) -> None:
    def serve(line: Line) -> None:
        opening(line)
        page(line, *ids, **keys)

    with (
        Script(serve) as script,
        scripted(script) as client,
        pytest.raises(ChatError, match=says) as caught,
    ):
        export_room(client, "lobby", tmp_path / name)
    assert str(caught.value).isprintable()
    assert left_in(tmp_path) == []


def test_an_id_that_cannot_be(tmp_path: Path) -> None:
    def serve(line: Line) -> None:
        line.welcome("s1")
        page(line, 0)

    with Script(serve) as script, scripted(script) as client, pytest.raises(DataError, match="nothing"):
        export_room(client, "lobby", tmp_path / "out.txt")
    assert left_in(tmp_path) == []


def test_an_answer_to_something_else(tmp_path: Path) -> None:
    def serve(line: Line) -> None:
        line.welcome("s1")
        asked = line.receive("history")
        line.send("members", names=[], count=0, re=asked["n"])

    with Script(serve) as script, scripted(script) as client, pytest.raises(ConnectionFailed):
        export_room(client, "lobby", tmp_path / "out.txt")
    assert left_in(tmp_path) == []
