"""The commands that look up what was said: ``history`` and ``search``, as processes."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from chatctl.history.log import Post
from chatctl.history.sqlite import SqliteLog
from tests import forked, shell
from tests.helpers import SECONDS, RunningServer, environment, running_server
from tests.shell import running


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """A server with 1 200 messages in #dev, and a few elsewhere."""
    with running_server("--rate", "0") as running:
        with running.client("ann", rooms={"dev": None, "lobby": None}) as ann:
            for number in range(1, 1_201):
                ann.say(f"message {number}", room="dev", nonce=f"n{number}")
            ann.say("The deploy FAILED\nhorribly \u202e", room="lobby")
            ann.say("waves", room="lobby", kind="action")
            ann.settle()
        yield running


def run(server: RunningServer, *args: str) -> subprocess.CompletedProcess[str]:
    env = environment(CHATCTL_PORT=str(server.port), CHATCTL_NAME="eve", TZ="UTC")
    return forked.run(args, env, timeout=SECONDS)


def test_the_last_messages(server: RunningServer) -> None:
    done = run(server, "history", "--room", "#dev")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert [line.split("  ", 1)[1] for line in lines] == [f"ann: message {n}" for n in range(1_151, 1_201)]


@pytest.mark.parametrize(
    ("args", "first", "last"),
    [
        (["--limit", "700"], 501, 1_200),
        (["--limit", "3"], 1_198, 1_200),
        (["--since", "2h"], 1, 1_200),
        (["--since", "1190"], 1_191, 1_200),
        (["--since", "90", "--limit", "600"], 91, 690),
        (["--since", "2000-01-01"], 1, 1_200),
    ],
)
def test_pages(server: RunningServer, args: list[str], first: int, last: int) -> None:
    done = run(server, "history", f"127.0.0.1:{server.port}", "--room", "dev", "--json", *args)
    more = "--since" in args and last < 1_200
    assert (done.returncode, "there are later ones" in done.stderr) == (0, more)
    frames = [json.loads(line) for line in done.stdout.splitlines()]
    assert [frame["id"] for frame in frames] == list(range(first, last + 1))
    assert {frame["t"] for frame in frames} == {"msg"}


def test_what_was_said_cannot_pose_as_something_else(server: RunningServer) -> None:
    done = run(server, "history")
    assert [line.split("  ", 1)[1] for line in done.stdout.splitlines()] == [
        "ann: The deploy FAILED",
        "ann: horribly \\u202e",
        "* ann waves",
    ]


def test_nothing_was_said(server: RunningServer) -> None:
    done = run(server, "history", "--room", "attic", "--since", "2h")
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "",
        "chatctl: nothing is kept of #attic since then\n",
    )


def test_searching(server: RunningServer) -> None:
    done = run(server, "search", "failed", "deploy")
    assert (done.returncode, done.stderr) == (0, "")
    assert "#lobby ann: The deploy FAILED" in done.stdout
    done = run(server, "search", "message", "--room", "dev", "--limit", "2")
    assert [line.split("  ", 1)[1] for line in done.stdout.splitlines()] == [
        "ann: message 1199",
        "ann: message 1200",
    ]
    assert "there are older ones" in done.stderr
    done = run(server, "search", "nowhere", "--json")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "chatctl: nothing was found\n")


def test_whoever_looks_something_up_is_in_no_room_and_needs_no_free_name(server: RunningServer) -> None:
    with server.client("eve") as eve:
        eve.settle()
        assert run(server, "history").returncode == 0
        assert eve.settle() == []


def test_what_is_wrong_is_told_in_one_line(server: RunningServer) -> None:
    done = run(server, "history", "--room", "no room")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == "chatctl: a room cannot hold a space\n"
    assert run(server, "history", "--since", "tomorrow").returncode == 2


@pytest.mark.parametrize("args", [["history"], ["search", "word"]])
def test_a_server_that_refuses_is_told_from_none(server: RunningServer, args: list[str]) -> None:
    with running_server("--max-clients", "1") as full, full.client("ann"):
        assert run(full, *args).returncode == 4
    assert run(server, *args, "--port", "1").returncode == 3
    assert run(server, "join", "--port", "1").returncode == 1


@pytest.mark.parametrize("how", ["--json", ""])
def test_a_reader_that_has_enough_ends_it_quietly(server: RunningServer, how: str) -> None:
    line = f"{{ chatctl history --room dev --since 2h {how}; echo $? >&2; }} | head -n 1"
    done = shell.run(server, line)
    assert "message 1" in done.stdout
    assert done.stderr in ("141\n", "0\n")


@pytest.mark.parametrize(("where", "code"), [(">&-", 0), ("> /dev/full", 1)])
@pytest.mark.parametrize("how", ["--json", ""])
def test_an_output_that_takes_nothing(server: RunningServer, how: str, where: str, code: int) -> None:
    done = shell.run(server, f"chatctl history --room dev {how} {where}")
    told = "chatctl: cannot write: No space left on device\n" if code else ""
    assert (done.returncode, done.stderr) == (code, told)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_without_a_word(number: signal.Signals, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        mute.settimeout(SECONDS)
        address = f"127.0.0.1:{mute.getsockname()[1]}"
        with running(address, "exec chatctl search word", tmp_path) as job, mute.accept()[0]:
            assert job.end(number) == 128 + number
            assert (job.out, job.err) == ("", "")


def test_what_is_no_longer_kept_is_told() -> None:
    with running_server("--rate", "0", "--keep-messages", "5") as few:
        with few.client("ann") as ann:
            for number in range(20):
                ann.say(str(number))
            ann.settle()
        deadline = time.monotonic() + SECONDS
        while "no longer kept" not in (done := run(few, "history", "--since", "1")).stderr:
            assert time.monotonic() < deadline, done
        assert len(done.stdout.splitlines()) == 5


def test_what_was_redacted_is_shown_as_such(tmp_path: Path) -> None:
    with closing(SqliteLog(tmp_path)) as log:
        log.append("lobby", [Post("ann", "ann", "rude words"), Post("ann", "ann", "kind words")])
        log.redact("lobby", 1)
    with running_server("--data", str(tmp_path)) as server:
        lines = run(server, "history").stdout.splitlines()
        assert [line.split("  ", 1)[1] for line in lines] == ["ann: (removed)", "ann: kind words"]
        frames = map(json.loads, run(server, "history", "--json").stdout.splitlines())
        assert [frame["text"] for frame in frames] == ["", "kind words"]
        assert run(server, "search", "words").stdout.endswith("ann: kind words\n")
        assert run(server, "search", "rude").stdout == ""
