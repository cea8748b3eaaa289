"""A server with accounts on it, and what moderators send to it."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from chatctl.access.opened import AccessBook
from chatctl.access.passwords import hash_password
from chatctl.messages import Role
from tests.helpers import RawClient, RunningServer, fresh

PASSWORD = "correct horse"


@cache
def _hashed() -> str:
    """Returns what is kept of the password, which takes its time to make."""
    return hash_password(PASSWORD)


class House:
    """A server with accounts, and the clients that are closed at the end."""

    def __init__(self, server: RunningServer, data: Path, clients: ExitStack) -> None:
        self.server = server
        self.data = data
        self.clients = clients

    def account(self, word: str, role: Role = "member") -> str:
        """Makes an account with a name that nobody else has; the server knows it at once."""
        name = fresh(word)
        with AccessBook(self.data) as book, pytest.MonkeyPatch.context() as patch:
            patch.setattr("chatctl.access.accounts.hash_password", lambda *_: _hashed())
            book.accounts.add(name, PASSWORD, role)
        return name

    def come(self, name: str, *, source: str = "", **hello: Any) -> RawClient:
        """Returns a client that is in."""
        client = self.clients.enter_context(RawClient(self.server.host, self.server.port, source=source))
        client.hello(name, **hello)
        client.settle()
        return client

    def log_in(self, name: str, **hello: Any) -> RawClient:
        return self.come(name, password=PASSWORD, **hello)

    def staff(self, role: Role = "moderator", **hello: Any) -> tuple[str, RawClient]:
        """Returns the name of somebody with a role, and a client of theirs."""
        name = self.account(role, role)
        return name, self.log_in(name, **hello)

    def refused(self, name: str, **hello: Any) -> dict[str, Any]:
        """Returns the error with which a hello is answered."""
        with RawClient(self.server.host, self.server.port, source=hello.pop("source", "")) as client:
            client.send("hello", v=1, name=name, **hello)
            frames = client.all_until_end()
        assert [frame["t"] for frame in frames] == ["error"]
        return frames[0]

    def audited(self, whom: str) -> list[dict[str, Any]]:
        """Returns what is noted about somebody."""
        with AccessBook(self.data) as book:
            entries = book.audit.last(100)
        return [
            {"name": entry.name, "what": entry.what, "room": entry.room, "reason": entry.reason}
            for entry in entries
            if entry.whom == whom
        ]


def only(frames: list[dict[str, Any]], t: str) -> list[dict[str, Any]]:
    return [frame for frame in frames if frame["t"] == t]


def act(client: RawClient, what: str, whom: str, **keys: Any) -> dict[str, Any]:
    """Does something about a person; returns what the one who does it is told."""
    client.send("moderate", what=what, whom=whom, n=77, **keys)
    while (frame := client.receive()) is not None:
        if frame.get("re") == 77:
            return frame
    raise AssertionError("the stream ended")


def done(client: RawClient, what: str, whom: str, **keys: Any) -> dict[str, Any]:
    frame = act(client, what, whom, **keys)
    assert frame["t"] == "moderated", frame
    return frame


def ending(client: RawClient) -> dict[str, Any]:
    """Returns the last frame before the connection closes."""
    return client.all_until_end()[-1]


def bans(client: RawClient) -> list[dict[str, Any]]:
    client.send("banned", n=5)
    frame = client.expect("bans", re=5)
    assert isinstance(frame["bans"], list)
    return frame["bans"]
