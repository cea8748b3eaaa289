"""What the server promises when it cannot write, or cannot use its data directory, or forgets what is old.

A disk of a few megabytes is mounted where this user may do so; everywhere, files are kept from growing.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests import forked
from tests.helpers import RawClient, RunningServer, environment, running_server, wait_for
from tests.witness import read_from_disk

Frame = dict[str, Any]

LONG_TEXT = "x" * 7_000
MOST_POSTS = 2_000
REFUSALS = 5  # one after the other
MEGABYTE = 1 << 20
PATIENCE = 30.0  # seconds for what takes one on a machine that is not busy


class Talk:
    """Ann, who posts to the lobby, and Bob, who listens.

    Args:
        server: where they meet.
        acked: what was acked in an earlier talk.

    Attributes:
        acked: texts in the order of their ids, from 1 on.
        refused: texts that were not kept. What comes before the filling of a text is unique, and its nonce.
    """

    def __init__(self, server: RunningServer, acked: tuple[str, ...] = ()) -> None:
        self.acked = list(acked)
        self.refused: list[str] = []
        self._number = 0
        self.ann = server.client("ann", backlog=0)
        self.bob = server.client("bob", backlog=0)
        for client in (self.bob, self.ann):  # Ann is told of Bob before he is settled.
            client.settle()

    def __enter__(self) -> Talk:
        return self

    def __exit__(self, *_: object) -> None:
        self.ann.close()
        self.bob.close()

    def post(self, filling: str = "") -> bool:
        """Has Ann say something new; returns whether it was acked."""
        self._number += 1
        return self._say(f"{len(self.acked)}.{self._number} {filling}")

    def _say(self, text: str) -> bool:
        """Has Ann say `text`: either she gets an ack and Bob the message, or she an error and he nothing."""
        same = {"nonce": text[:20], "re": self._number}
        self.ann.say(text, nonce=same["nonce"], n=same["re"])
        (answer,) = self.ann.settle()
        heard = [(frame["id"], frame["text"]) for frame in self.bob.settle() if frame["t"] == "msg"]
        assert same.items() <= answer.items(), answer
        if answer["t"] == "ack":
            self.acked.append(text)
            assert answer["id"] == len(self.acked)
            assert heard == [(answer["id"], text)]
            return True
        assert (answer["t"], answer["code"], heard) == ("error", "storage", [])
        assert "fatal" not in answer
        self.refused.append(text)
        return False

    def post_until_refused(self) -> None:
        """Posts until there is no place any more: one refusal may make the server find some."""
        refused = 0
        for _ in range(MOST_POSTS):
            refused = 0 if self.post(LONG_TEXT) else refused + 1
            if refused == REFUSALS:
                return
        raise AssertionError(f"{MOST_POSTS} long posts, and place for all of them")

    def post_refused_again(self) -> None:
        """What was refused is accepted under the same nonce, as soon as anything is."""
        wait_for(self.post, "a post is acked again", PATIENCE)
        refused, self.refused = self.refused, []
        for text in refused:
            assert self._say(text)

    def check_served(self) -> None:
        """What needs no writing is answered, and what is asked of the history is what was acked."""
        for question, answer in (("who", "members"), ("list", "rooms"), ("ping", "pong")):
            self.ann.send(question)
            self.ann.expect(answer)
        assert [text for _, text in page_through(self.bob, "lobby")] == self.acked


def page_through(client: RawClient, room: str) -> list[tuple[int, str]]:
    """Returns ids and texts of all that is kept of a room, the oldest page first."""
    found: list[tuple[int, str]] = []
    more = True
    while more:
        client.send("history", room=room, after=found[-1][0] if found else 0)
        answer = client.expect("history")
        found += [(message["id"], message["text"]) for message in answer["messages"]]
        more = answer["more"]
    return found


def copied(data: Path, to: Path) -> list[str]:
    """Returns the texts that are in the lobby, read from a copy of a data directory."""
    shutil.copytree(data, to)
    return [text for _, text in read_from_disk(to)["lobby"]]


# No place to write to


@contextmanager
def small_disk(path: Path, megabytes: int) -> Iterator[Callable[[int], None]]:
    """Mounts a disk of its own at `path`; yields a function that changes its size."""
    path.mkdir()
    size = f"size={megabytes}m"
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", size, "chatctl", path], capture_output=True)
    if done.returncode:
        pytest.skip("only root may mount a disk")

    def resize(megabytes: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={megabytes}m", path], check=True)

    try:
        yield resize
    finally:
        subprocess.run(["umount", path], check=True)


def fill_and_free(talk: Talk, free: Callable[[], object]) -> None:
    """Posts until there is no place for more, and on when there is one again."""
    talk.post_until_refused()
    talk.check_served()
    free()
    talk.post_refused_again()
    talk.check_served()


@pytest.mark.skipif(not shutil.which("mount"), reason="no mount here")
def test_a_full_disk(tmp_path: Path) -> None:
    data = tmp_path / "disk"
    args = ("--data", str(data), "--rate", "0")
    with small_disk(data, 3) as resize:
        with running_server(*args) as server, Talk(server) as talk:
            fill_and_free(talk, partial(resize, 5))
            talk.post_until_refused()
        assert server.proc.returncode == 0
        assert copied(data, tmp_path / "full") == talk.acked
        with running_server(*args) as server, Talk(server, tuple(talk.acked)) as again:
            again.check_served()
            fill_and_free(again, partial(resize, 24))
        assert copied(data, tmp_path / "freed") == again.acked


def test_files_that_may_not_grow(tmp_path: Path) -> None:
    args = ("--data", str(tmp_path / "data"), "--rate", "0")
    with running_server(*args) as server, Talk(server) as talk:
        before = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (MEGABYTE, before[1]))
        fill_and_free(talk, partial(resource.prlimit, server.pid, resource.RLIMIT_FSIZE, before))
    assert copied(tmp_path / "data", tmp_path / "copy") == talk.acked
    with running_server(*args) as server, Talk(server, tuple(talk.acked)) as again:
        assert again.post()
        again.check_served()


def test_a_data_directory_that_is_away_for_a_while(tmp_path: Path) -> None:
    data, away = tmp_path / "data", tmp_path / "away"
    with running_server("--data", str(data), "--rate", "0") as server, Talk(server) as talk:
        assert talk.post()
        data.rename(away)
        assert not talk.post()
        talk.check_served()
        assert not data.exists()
        away.rename(data)
        talk.post_refused_again()
        talk.check_served()
    assert copied(data, tmp_path / "copy") == talk.acked


# A directory that cannot be used


def refusal(data: Path) -> str:
    """Returns the one line with which a server refuses to use `data`, which it must."""
    done = forked.run(["serve", "--port", "0", "--data", str(data)], environment(), timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (1, ""), done
    line, end, rest = done.stderr.partition("\n")
    assert (line.split(" ")[0], end, rest) == ("chatctl:", "\n", ""), done
    return line


def test_a_second_server_on_the_same_directory(tmp_path: Path) -> None:
    with running_server("--data", str(tmp_path), "--rate", "0") as server, Talk(server) as talk:
        assert talk.post()
        line = refusal(tmp_path)
        assert str(tmp_path) in line and f"process {server.pid}" in line
        assert talk.post()
        talk.check_served()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory of a server that was stopped."""
    data = tmp_path_factory.mktemp("whole")
    with running_server("--data", str(data), "--rate", "0") as server, Talk(server) as talk:
        for _ in range(100):
            assert talk.post(LONG_TEXT)
    assert sorted(path.name for path in data.iterdir()) == ["access.db", "chatctl.db", "lock"]
    return data


def overwrite(path: Path, start: float, length: int) -> None:
    """Puts garbage into a file, from a part of its length on."""
    with path.open("r+b") as file:
        file.seek(int(path.stat().st_size * start))
        file.write(random.Random(length).randbytes(length))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "garbage at the start": lambda path: overwrite(path, 0, 4096),
    "another magic": lambda path: overwrite(path, 0, 16),
    "garbage in the middle": lambda path: overwrite(path, 0.5, 32_768),
    "garbage at the end": lambda path: overwrite(path, 0.95, 4096),
    "half of it": lambda path: os.truncate(path, path.stat().st_size // 2),
    "its first page": lambda path: os.truncate(path, 4096),
    "its first bytes": lambda path: os.truncate(path, 50),
    "no database": lambda path: path.write_text("dear diary\n" * 1_000),
}


def contents(data: Path) -> dict[str, bytes]:
    """Returns what is in a directory, but for the lock, which every server takes first."""
    return {path.name: path.read_bytes() for path in data.iterdir() if path.name != "lock"}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_database_is_left_as_it_is(damage: str, whole: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(whole, data)
    DAMAGES[damage](data / "chatctl.db")
    before = contents(data)
    assert str(data / "chatctl.db") in refusal(data)
    assert contents(data) == before


def test_a_database_that_was_cut_off_its_write_ahead_log(tmp_path: Path) -> None:
    """A crash leaves all in the log; whoever empties the file beside it must not lose that too."""
    data = tmp_path / "data"
    with running_server("--data", str(data), "--rate", "0") as server, Talk(server) as talk:
        assert talk.post(LONG_TEXT)
        server.kill()
    whole = (data / "chatctl.db").read_bytes()
    (data / "chatctl.db").write_bytes(b"")
    before = contents(data)
    assert str(data / "chatctl.db") in refusal(data)
    assert contents(data) == before
    (data / "chatctl.db").write_bytes(whole)
    with running_server("--data", str(data)) as server, Talk(server, tuple(talk.acked)) as again:
        again.check_served()


# What is no longer kept


def wait_until_kept(client: RawClient, ids: list[int]) -> None:
    wait_for(lambda: [id_ for id_, _ in page_through(client, "lobby")] == ids, f"kept: {ids}", PATIENCE)


def assert_gap(client: RawClient, before: int) -> None:
    """Whoever asks for everything is told that it begins with a gap."""
    client.send("history", room="lobby", after=0, n=5)
    gap, answer = client.settle()
    assert gap == {"t": "gap", "room": "lobby", "after": 0, "before": before}
    assert (answer["t"], answer["re"], answer["more"]) == ("history", 5, False)


def test_only_so_many_messages_are_kept(tmp_path: Path) -> None:
    args = ("--data", str(tmp_path), "--rate", "0", "--keep-messages", "10")
    with running_server(*args) as server, Talk(server) as talk:
        for _ in range(50):
            assert talk.post()
        wait_until_kept(talk.bob, list(range(41, 51)))
        assert_gap(talk.bob, 41)
    with running_server(*args) as server, server.client("carl", rooms={"lobby": 7}) as carl:
        room, gap, *messages = carl.settle()
        assert (room["t"], room["last"]) == ("room", 50)
        assert gap == {"t": "gap", "room": "lobby", "after": 7, "before": 41}
        assert [(frame["id"], frame["text"]) for frame in messages] == list(
            enumerate(talk.acked[40:], start=41)
        )


def test_ids_and_nonces_outlive_what_is_no_longer_kept(tmp_path: Path) -> None:
    args = ("--data", str(tmp_path), "--rate", "0", "--keep", "1s")
    with running_server(*args) as server, Talk(server) as talk:
        for _ in range(20):
            assert talk.post()
        wait_until_kept(talk.bob, [])
        assert_gap(talk.bob, 21)
    with running_server(*args) as server, Talk(server, tuple(talk.acked)) as again:
        assert_gap(again.bob, 21)
        again.ann.say(talk.acked[4], nonce=talk.acked[4][:20])
        assert again.ann.expect("ack")["id"] == 5
        assert again.post()
