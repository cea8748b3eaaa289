"""Clients that come back whenever they lose their line, note what they saw, and hold it against the promises.

They know the protocol from PROTOCOL.md alone, and share nothing with the client that chatctl brings. A
witness fails at once where an id is missing, doubled or out of order. `check` compares what all of them saw,
and what was acked to them, with what the server has kept.
"""

from __future__ import annotations

import json
import random
import select
import socket
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.helpers import RawClient, wait_for

Frame = dict[str, Any]
History = dict[str, list[tuple[str, str]]]  # of each room: names and texts, the id being the place, from 1 on

TICK = 0.05  # seconds in which a witness that hears nothing looks at what else there is to do
WINDOW = 30  # posts of one witness that are not settled, at most, when it posts more
BURSTS = (1, 1, 1, 2, 5, 20)  # posts in one send
FILLINGS = ("", "short", "ünïcödé \N{PARTY POPPER}\n\tand a second line", 'a "quoted" \\ text', "long " * 200)
_EVERYTHING = """
    SELECT key, name, text FROM messages
    UNION ALL
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[2]'), json_extract(value, '$[3]')
        FROM journal, json_each(batch)
    ORDER BY 1"""
REPLAYED = 1  # `n` of the ping behind the hello: its pong ends the replay
PATIENCE = 60.0  # seconds for what takes one on a machine that is not busy
PAGE = 500


@dataclass
class Posted:
    """What a witness said.

    Attributes:
        id: that it was acked or replayed with; None before that.
    """

    room: str
    text: str
    nonce: str
    id: int | None = None


class Witness:
    """One client, which is in some rooms from their first message on.

    When it comes back, it posts again what is not settled: either after the replay, as PROTOCOL.md has it,
    or, by chance, without waiting for that. Then some is acked again that the replay has settled.

    Args:
        port: to connect to, again and again.
        name: to go by.
        rooms: that it is in.
        seed: of its chance.
        pace: seconds between two bursts of posts, on average; None for one that only listens.
        haste: chance of dropping its line right behind a burst, before any answer.
        silence: seconds without a frame, not even an answer to a ping, after which the line counts as lost.

    Attributes:
        seen: names and texts of each room, as a history.
        posts: all it ever posted, in order.
        met: how often it was ``resumed``, how many posts were ``acked again`` after a replay had settled
            them, and how often it got which errors and farewells, by their codes.
        connected: it has a connection.
    """

    def __init__(
        self,
        port: int,
        name: str,
        rooms: Sequence[str],
        seed: int,
        *,
        pace: float | None = None,
        haste: float = 0.0,
        silence: float = 30.0,
    ) -> None:
        self.name = name
        self.seen: History = {room: [] for room in rooms}
        self.posts: list[Posted] = []
        self.unsettled: dict[str, Posted] = {}
        self.met: Counter[str] = Counter()
        self.connected = False
        self._port = port
        self._chance = random.Random(seed)
        self._pace = pace
        self._haste = haste
        self._silence = silence
        self._secret: str | None = None
        self._impatient = False
        self._replayed = False
        self._again: dict[str, Posted] = {}  # what was posted again before the replay, and is not acked yet
        self._next = 0.0

    def run(self, over: threading.Event, quiet: threading.Event) -> None:
        """Keeps a connection until `over`; posts unless it is `quiet`."""
        while not over.is_set():
            with suppress(OSError), socket.create_connection(("127.0.0.1", self._port)) as sock:
                self.connected = True
                sock.settimeout(self._silence)
                self._stay(sock, over, quiet)
            self.connected = False
            over.wait(self._chance.uniform(0.01, 0.1))

    def _stay(self, sock: socket.socket, over: threading.Event, quiet: threading.Event) -> None:
        self._impatient = self._chance.random() < 0.5
        self._replayed = False
        self._again.clear()
        last = {room: len(seen) for room, seen in self.seen.items()}
        resume = {"resume": self._secret} if self._secret else {}
        _send(sock, {"t": "hello", "v": 1, "name": self.name, "rooms": last} | resume)
        _send(sock, {"t": "ping", "n": REPLAYED})
        heard = pinged = time.monotonic()
        tail = b""
        while not over.is_set():
            if select.select([sock], [], [], TICK)[0]:
                data = sock.recv(1 << 16)
                if not data:
                    return
                heard = time.monotonic()
                # What is left at the end of a connection is half a frame, and says nothing.
                *lines, tail = (tail + data).split(b"\n")
                for line in lines:
                    self._take(json.loads(line), sock)
            elif time.monotonic() - heard > self._silence:
                return
            elif time.monotonic() - max(heard, pinged) > self._silence / 3:
                pinged = time.monotonic()
                _send(sock, {"t": "ping"})
            if self._replayed and not quiet.is_set() and not self._post(sock):
                return

    # What it says

    def _post(self, sock: socket.socket) -> bool:
        """Posts a burst, if it is time; returns False if it was in such haste that it drops its line now."""
        now = time.monotonic()
        if self._pace is None or now < self._next or len(self.unsettled) >= WINDOW:
            return True
        self._next = now + self._chance.uniform(0, 2 * self._pace)
        _send(sock, *(self._say(self._new_post()) for _ in range(self._chance.choice(BURSTS))))
        return self._chance.random() >= self._haste

    def _new_post(self) -> Posted:
        number = len(self.posts)
        text = f"{self.name}/{number} {self._chance.choice(FILLINGS)}"
        post = Posted(self._chance.choice(list(self.seen)), text, f"{self.name}-{number}")
        self.posts.append(post)
        self.unsettled[post.nonce] = post
        return post

    def _say(self, post: Posted) -> Frame:
        return {"t": "say", "room": post.room, "text": post.text, "nonce": post.nonce}

    def _repeat(self, sock: socket.socket) -> None:
        _send(sock, *map(self._say, self.unsettled.values()))

    # What it gets

    def _take(self, frame: Frame, sock: socket.socket) -> None:
        match frame["t"]:
            case "welcome":
                assert frame["name"] == self.name, f"{self.name} is now {frame['name']}"
                self._secret = frame["session"]
                self.met["resumed"] += frame.get("resumed", False)
                if self._impatient:
                    self._again |= self.unsettled
                    self._repeat(sock)
            case "room":
                seen = len(self.seen[frame["room"]])
                assert frame["last"] >= seen, f"{self.name} saw {seen} of what now ends: {frame}"
            case "msg":
                assert ("nonce" in frame) is (frame["name"] == self.name), f"whose nonce is this: {frame}"
                self._settle(frame)
                self._note(frame, frame["name"], frame["text"])
            case "ack":
                again = self._again.pop(frame["nonce"], None)
                if post := self._settle(frame):
                    self._note(frame, self.name, post.text)
                else:
                    assert again and again.id == frame["id"], f"{again} was acked by {frame}"
                    self.met["acked again"] += 1
            case "pong" if frame.get("re") == REPLAYED:
                self._replayed = True
                if not self._impatient:
                    self._repeat(sock)
            case "error" | "bye":
                self.met[frame["code"]] += 1
                # The line may have broken before the first welcome came, and the server not know it yet.
                assert frame["t"] == "bye" or frame["code"] == "name-taken", f"{self.name} got {frame}"
            case other:
                assert other in ("pong", "ping", "presence"), f"{self.name} got {frame}"

    def _settle(self, frame: Frame) -> Posted | None:
        """Notes that what was posted under the nonce of `frame`, if any, is kept."""
        post = self.unsettled.pop(frame.get("nonce", ""), None)
        if post:
            assert post.room == frame["room"], f"{post} became {frame}"
            post.id = frame["id"]
        return post

    def _note(self, frame: Frame, name: str, text: str) -> None:
        seen = self.seen[frame["room"]]
        assert frame["id"] == len(seen) + 1, f"{self.name} saw {len(seen)} before {frame}"
        seen.append((name, text))


def _send(sock: socket.socket, *frames: Frame) -> None:
    sock.sendall(b"".join(json.dumps(frame, ensure_ascii=False).encode() + b"\n" for frame in frames))


class Crowd:
    """Witnesses, each in a thread of its own; to be used in a ``with`` statement."""

    def __init__(self, witnesses: Sequence[Witness]) -> None:
        self.witnesses = witnesses
        self._over = threading.Event()
        self._quiet = threading.Event()
        self._pool = ThreadPoolExecutor(len(witnesses))
        self._running: list[Future[None]] = []

    def __enter__(self) -> Crowd:
        self._running = [self._pool.submit(w.run, self._over, self._quiet) for w in self.witnesses]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        self._pool.shutdown()

    def settled(self) -> int:
        """Returns how many posts were acked, or came back in a replay."""
        return sum(len(witness.posts) - len(witness.unsettled) for witness in self.witnesses)

    def met(self, what: str) -> int:
        """Returns how often all of them together met with `what`."""
        return sum(witness.met[what] for witness in self.witnesses)

    def wait_for(self, condition: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
        """Waits until `condition` is true; fails as soon as a witness does."""

        def true_or_failed() -> bool:
            for running in self._running:
                if running.done():
                    running.result()
            return condition()

        wait_for(true_or_failed, what, seconds)

    def wait_for_posts(self, count: int) -> None:
        """Waits until `count` more posts are settled, with everybody connected."""
        wanted = self.settled() + count
        self.wait_for(lambda: self.settled() >= wanted and self.all_connected(), f"{count} posts")

    def all_connected(self) -> bool:
        return all(witness.connected for witness in self.witnesses)

    def wait_for_the_end(self) -> None:
        """Waits until everybody has noticed that there is no server any more."""
        self.wait_for(lambda: not any(w.connected for w in self.witnesses), "all connections end")

    def finish(self, port: int) -> History:
        """Lets nobody post any more, and waits until everybody has seen everything.

        Args:
            port: of the server itself.

        Returns:
            The history, read from the server.
        """
        self._quiet.set()
        self.wait_for(lambda: not any(witness.unsettled for witness in self.witnesses), "all posts settle")
        history = read_from_server(port, {room for witness in self.witnesses for room in witness.seen})
        self.wait_for(
            lambda: all(
                len(seen) >= len(history[room])
                for witness in self.witnesses
                for room, seen in witness.seen.items()
            ),
            "everybody has seen everything",
        )
        return history


# What the server has kept


def read_from_server(port: int, rooms: set[str]) -> History:
    """Reads the history of `rooms` page by page."""
    with RawClient("127.0.0.1", port) as client:
        client.hello("auditor", rooms={})
        return {room: _read_room(client, room) for room in sorted(rooms)}


def _read_room(client: RawClient, room: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    more = True
    while more:
        client.send("history", room=room, after=len(found), limit=PAGE)
        answer = client.receive()
        assert answer and answer["t"] == "history", answer
        ids = [message["id"] for message in answer["messages"]]
        assert ids == list(range(len(found) + 1, len(found) + 1 + len(ids)))
        found += [(message["name"], message["text"]) for message in answer["messages"]]
        more = answer["more"]
    return found


def read_from_disk(directory: Path) -> History:
    """Reads the history from a data directory that no server uses; SQLite must find it whole."""
    with closing(sqlite3.connect(directory / "chatctl.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        names = dict(database.execute("SELECT number, name FROM rooms"))
        history: History = {name: [] for name in names.values()}
        for key, name, text in database.execute(_EVERYTHING):
            room = history[names[key >> 40]]
            room.append((name, text))
            assert key & (1 << 40) - 1 == len(room), f"ids of {names[key >> 40]} are missing before {key}"
    return history


# What is promised


def check_kept(witnesses: Sequence[Witness], history: History) -> None:
    """All that anybody saw, and so all that was acked, is in `history`, once, under the id it was seen by."""
    for witness in witnesses:
        for room, seen in witness.seen.items():
            kept = history.get(room, [])[: len(seen)]
            assert seen == kept, f"of {room}, {witness.name} saw {_difference(seen, kept)}"
        for post in witness.posts:
            if post.id is not None:
                assert history[post.room][post.id - 1] == (witness.name, post.text), post
    check_order(witnesses, history)


def check_order(witnesses: Sequence[Witness], history: History) -> None:
    """What is in `history` was posted, is there once, and everybody's posts are in the order of posting."""
    places = {
        (post.room, witness.name, post.text): number
        for witness in witnesses
        for number, post in enumerate(witness.posts)
    }
    for room, kept in history.items():
        numbers: dict[str, int] = {}
        for name, text in kept:
            number = places[room, name, text]
            assert number > numbers.get(name, -1), f"{name} said this earlier, or twice: {text!r}"
            numbers[name] = number


def check_all(witnesses: Sequence[Witness], history: History) -> None:
    """Every post of a crowd that has finished is in `history` once, and everybody saw all of it."""
    check_kept(witnesses, history)
    for witness in witnesses:
        assert witness.seen == {room: history[room] for room in witness.seen}, witness.name
    assert sum(len(witness.posts) for witness in witnesses) == sum(map(len, history.values()))


def _difference(seen: list[tuple[str, str]], kept: list[tuple[str, str]]) -> str:
    for place, (one, other) in enumerate(zip(seen, kept, strict=False)):
        if one != other:
            return f"{one} as {place + 1}, which is kept as {other}"
    return f"{len(seen)} messages, of which {len(kept)} are kept"
