"""The real ``curl``, and what it is answered."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from tests.helpers import SECONDS, RunningServer, environment


class Answer(NamedTuple):
    """What a request was answered; header names are in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        assert self.headers["content-type"] == "application/json"
        assert self.body.endswith(b"\n")
        assert self.body.count(b"\n") == 1
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """Of an error, which says what it is to people too."""
        error = self.json["error"]
        assert error["text"], error
        assert list(self.json) == ["error"]
        return str(error["code"])


def curl(url: str, *args: str, stdin: bytes = b"") -> Answer:
    """Runs ``curl`` with what this user has set left out."""
    command = ["curl", "-qsSi", "--max-time", str(SECONDS), *args, url]
    done = subprocess.run(command, input=stdin, capture_output=True, env=environment(), check=True)
    head, rest = b"", done.stdout
    while not head or head.startswith(b"HTTP/1.1 100"):
        head, _, rest = rest.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return Answer(int(status.split()[1]), {key.lower(): value for key, value in headers.items()}, rest)


class Api:
    """The API of a running server.

    Args:
        server: to ask.
        user: ``NAME:KEY``; none where that is empty.
        args: more of each ``curl``.
        scheme: what addresses begin with.
    """

    def __init__(self, server: RunningServer, user: str = "", *args: str, scheme: str = "http") -> None:
        self.server = server
        self.base = f"{scheme}://127.0.0.1:{server.port}"
        self._args = (*args, *(("-u", user) if user else ()))

    def get(self, path: str, *args: str) -> Answer:
        return curl(self.base + path, *self._args, *args)

    def post(self, room: str, text: str, *args: str) -> Answer:
        return curl(f"{self.base}/api/rooms/{room}", *self._args, "-d", text, *args)

    def posted(self, room: str, text: str, *args: str) -> int:
        """Posts what must be accepted; returns its id."""
        answer = self.post(room, text, *args)
        assert answer.status == 201, answer
        assert answer.json["room"] == room
        return int(answer.json["id"])

    def messages(self, room: str, query: str = "") -> list[dict[str, Any]]:
        answer = self.get(f"/api/rooms/{room}/messages{query}")
        assert answer.status == 200, answer
        found = answer.json["messages"]
        assert isinstance(found, list)
        return found

    def texts(self, room: str) -> list[str]:
        return [message["text"] for message in self.messages(room)]

    @contextmanager
    def following(self, room: str, query: str = "", *args: str) -> Iterator[Stream]:
        """Follows a room, until the end of the block."""
        url = f"{self.base}/api/rooms/{room}/stream{query}"
        command = ["curl", "-qsSNi", *self._args, *args, url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment()) as process:
            stream = Stream(process)
            try:
                assert stream.head() == 200
                yield stream
            finally:
                process.kill()


class Stream:
    """What comes to one who follows a room."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        assert process.stdout is not None
        self._lines = process.stdout

    def head(self) -> int:
        """Reads the head of the answer; returns its status."""
        status = self._lines.readline()
        while self._lines.readline().strip():
            pass
        return int(status.split()[1])

    def line(self) -> str:
        """Returns the next line, without its end; nothing is at the end, too."""
        return self._lines.readline().decode().removesuffix("\n")

    def frame(self) -> dict[str, Any]:
        """Returns the next line of JSON, leaving out empty ones."""
        for line in self._lines:
            if line.strip():
                frame = json.loads(line)
                assert isinstance(frame, dict)
                return frame
        raise AssertionError("the stream ended")

    def texts(self, count: int) -> list[str]:
        return [self.frame()["text"] for _ in range(count)]

    def event(self) -> dict[str, str]:
        """Returns the next event, by field, leaving out comments."""
        fields: dict[str, str] = {}
        for line in self._lines:
            name, _, value = line.decode().removesuffix("\n").partition(": ")
            if not name and fields:
                return fields
            if name:
                fields[name] = value
        raise AssertionError("the stream ended")

    def ended(self) -> int:
        """Returns what ``curl`` ended with: 0 where the answer was whole."""
        assert not self._lines.read().strip()
        return self._process.wait(SECONDS)
